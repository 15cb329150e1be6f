// What there is to say where there are no rows.

const UNBORN = ["No scores yet", "The first one takes the lead."];

const UNPLAYED = ["Nobody played", ""];

/** The [title, text] for a state of the page, or null; `isEmpty` when it shows nobody, `isBare` when
 * it was told that there is nobody, `isOver` when nobody can come any more. */
export function noticeFor({ name, reason }, { view, isEmpty, isBare, isOver }) {
  if (name === "locked") {
    return [
      "This board is private",
      "Paste an access token with the scope board:read. It stays in this page and is forgotten " +
        "when you leave.",
    ];
  }
  if (name === "absent") {
    return [
      `There can be no board “${view.board}”`,
      "Names have up to 64 lower-case letters, digits, - and _.",
    ];
  }
  if (name === "nowhere" || reason === "unknown") return unknown(view);
  if (reason === "full" && isEmpty) {
    return ["Too many viewers", "The server is full. This page tries again by itself."];
  }
  if (!(isEmpty && isBare)) return null;
  if (name === "live") return isOver ? UNPLAYED : UNBORN;
  if (name !== "read") return null;
  return view.place > 1 ? ["Nobody stands here", "The table is shorter."] : UNPLAYED;
}

function unknown({ board, period, occurrence, user }) {
  if (!board) return UNBORN;
  if (user)
    return [
      `“${user}” is not in this table`,
      "A name is found where it is shown, everybody by the exact id.",
    ];
  if (occurrence) return [`There is no number ${occurrence} to see`, "It may no longer be kept."];
  if (period) {
    return [`There is no period “${period}” here`, `“${board}” has others, or is not there yet.`];
  }
  return [
    `There is no board “${board}” yet`,
    "It is created by its first score and will then appear here by itself.",
  ];
}
