// The way through a table, some places at a time.

import { make, setChildren } from "./dom.js";
import { addressOf } from "./view.js";

export const PAGE = 10;
export const AROUND = 4; // how many are shown on either side of a user

const $ = (id) => document.getElementById(id);

/** Links to the places before and after those that are `told`: the feed's message, a page of
 * standings, or null while neither is there. A view of a period has its `users`, null while these are
 * not known. */
export function showPager(view, told, board) {
  const links = told ? linksOf(view, told, board) : [];
  $("pager").hidden = links.length === 0;
  const had = $("pager").contains(document.activeElement) && document.activeElement.dataset.way;
  setChildren($("pager"), ...links);
  if (!had) return;
  const way = $("pager").querySelector(`[data-way="${had}"]`) ?? $("pager").querySelector("a");
  (way ?? $("name")).focus();
}

function linksOf(view, { standings, topScores, next }, { rules, users }) {
  const shown = standings ?? topScores;
  // Where ranks are shared the one of the first may be that of somebody further up.
  const first = view.user ? shown[0].rank : (view.place ?? 1);
  const last = first + shown.length - 1;
  const total = view.period ? view.users : users;
  const isFirst = first === 1 && view.place === null && !view.user;
  const goesOn = standings ? hasMore(view, shown, next) : hasMoreThan(last, total, rules);
  if (!goesOn && isFirst) return [];
  // The page before one that begins within the top is the top as it is shown first.
  const isNear = view.occurrence === null ? first <= rules.topSize + 1 : first <= PAGE + 1;
  const table = { ...view, user: "" };
  const places = `${first.toLocaleString()}–${last.toLocaleString()}`;
  const of = total > last ? ` of ${total.toLocaleString()}` : "";
  return [
    isFirst
      ? make("span")
      : wayTo("before", "‹ Before", { ...table, place: isNear ? null : Math.max(1, first - PAGE) }),
    make("span", {}, shown.length ? places + of : ""),
    goesOn ? wayTo("next", "Next ›", { ...table, place: last + 1 }) : make("span"),
  ];
}

function hasMore({ user }, shown, next) {
  if (!user) return next !== null;
  return shown.length - 1 - shown.findIndex(({ userId }) => userId === user) === AROUND;
}

function hasMoreThan(last, total, { topSize }) {
  return total === null ? last >= topSize : total > last;
}

function wayTo(direction, text, view) {
  const link = make("a", { href: addressOf(view) }, text);
  link.dataset.way = direction;
  return link;
}
