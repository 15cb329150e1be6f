// Every rule of a board: what it is called, what it does, and how it is set.

import {
  choiceControl,
  eventsControl,
  flagControl,
  momentControl,
  numberControl,
  rateControl,
  textControl,
} from "./controls.js";
import { OWN_ZONE } from "./moments.js";

const CLOCK = `By your clock (${OWN_ZONE}).`;
const KEPT = "It can't change once the board has scores.";

/** Groups of rules: a title, and for each rule its `name` in the API, `label`, `about` and `control`. */
export const GROUPS = [
  {
    title: "What people see",
    rules: [
      {
        name: "title",
        label: "Title",
        about: "The board's name for people. Without one they see the name in its address.",
        control: () => textControl(),
      },
      {
        name: "unit",
        label: "Unit",
        about: "What totals are in, such as “pts” or “s”.",
        control: () => textControl(),
      },
      {
        name: "description",
        label: "Description",
        about: "What people are told of the board.",
        control: () => textControl({ long: true }),
      },
      {
        name: "topSize",
        label: "Size of the top",
        about: "How many players the top and the live messages have, 1 to 100.",
        control: () => numberControl(),
      },
      {
        name: "zone",
        label: "Time zone",
        about: "By whose clock the board's days begin: a name such as Asia/Kolkata.",
        control: () => textControl({ empty: "UTC", placeholder: "UTC" }),
      },
      {
        name: "shards",
        label: "Shards",
        about:
          "Over how many partitions the players are spread, 1 to 64. Decided when the board is made.",
        control: () => numberControl({ placeholder: "1", empty: 1 }),
      },
    ],
  },
  {
    title: "How totals are made",
    rules: [
      {
        name: "operator",
        label: "What an action does",
        about: `Its points are added to the player's total, or replace it. ${KEPT}`,
        control: () =>
          choiceControl({
            options: [
              ["sum", "adds its points"],
              ["best", "counts if it is the best one"],
              ["last", "replaces the total"],
            ],
          }),
      },
      {
        name: "order",
        label: "What is better",
        about: `Which total stands higher; for lap times, the lower one. ${KEPT}`,
        control: () =>
          choiceControl({
            options: [
              ["desc", "more"],
              ["asc", "less"],
            ],
          }),
      },
      {
        name: "decimals",
        label: "Decimals",
        about: `With how many people see a total, 0 to 6. Points are posted without the point: 83.204 s as 83204. ${KEPT}`,
        control: () => numberControl(),
      },
      {
        name: "rankStyle",
        label: "Equal totals",
        about: "Whether players with the same total have ranks of their own or share one.",
        control: () =>
          choiceControl({
            options: [
              ["ordinal", "ranks of their own: 1, 2, 3"],
              ["standard", "share a rank: 1, 1, 3"],
            ],
          }),
      },
      {
        name: "allTime",
        label: "Table of all time",
        about:
          "Without it the board shows its periods only, and takes actions only while one is open.",
        control: () => flagControl(),
      },
    ],
  },
  {
    title: "Who may play, and when",
    rules: [
      {
        name: "opens",
        label: "Opens",
        about: `From when on the board takes actions; empty: it is open already. ${CLOCK}`,
        control: () => momentControl(),
      },
      {
        name: "closes",
        label: "Closes",
        about: `From when on it takes none; empty: never. ${CLOCK}`,
        control: () => momentControl(),
      },
      {
        name: "attempts",
        label: "Attempts",
        about: "How many actions of a player count, in each period if there are some; empty: all.",
        control: () => numberControl({ placeholder: "all" }),
      },
      {
        name: "capacity",
        label: "Room",
        about: "How many players the board takes; empty: any number.",
        control: () => numberControl({ placeholder: "any number" }),
      },
      {
        name: "join",
        label: "Joining",
        about: "Whether players have to join before they play.",
        control: () =>
          choiceControl({
            options: [
              ["open", "not needed"],
              ["required", "needed before the first action"],
            ],
          }),
      },
    ],
  },
  {
    title: "What is refused",
    rules: [
      {
        name: "minPoints",
        label: "Least points",
        about: "An action with fewer points is refused.",
        control: () => numberControl(),
      },
      {
        name: "maxPoints",
        label: "Most points",
        about: "An action with more points is refused.",
        control: () => numberControl(),
      },
      {
        name: "rate",
        label: "Rate",
        about: "How many actions of a player are accepted in any so many seconds; empty: any.",
        control: rateControl,
      },
      {
        name: "ids",
        label: "Player ids",
        about: "Which ids the board takes from now on.",
        control: () =>
          choiceControl({
            options: [
              ["nfc-visible", "no two that look alike"],
              ["ascii", "ASCII only"],
              ["any", "any"],
            ],
          }),
      },
      {
        name: "mode",
        label: "Anomaly gate",
        about:
          "What happens to an action that looks like cheating. Both put it into the review queue.",
        control: () =>
          choiceControl({
            options: [
              ["off", "nothing is looked at"],
              ["flag", "it counts, and is flagged"],
              ["reject", "it is refused"],
            ],
          }),
      },
      {
        name: "allowHistory",
        label: "Old actions",
        about: "The gate takes actions that happened long ago, as when a past season is replayed.",
        control: () => flagControl(),
      },
      {
        name: "events",
        label: "Announced events",
        about: `Times in which actions are worth more than usual, so that the gate takes that for usual. ${CLOCK}`,
        control: eventsControl,
      },
    ],
  },
];
