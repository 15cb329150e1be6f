// The boards of the console: the list, and the way to make one. One of them: board_page.js.

import { announce } from "./announcer.js";
import { showBoard } from "./board_page.js";
import { make } from "./dom.js";
import { call } from "./session.js";

const PAGE = 25;
const $ = (id) => document.getElementById(id);

export const boardsSection = { title: "Boards", show };

let next = null;
let reading = 0; // the number of the latest search

$("board-search").onsubmit = (event) => {
  event.preventDefault();
  list();
};
$("board-make").onsubmit = (event) => {
  event.preventDefault();
  create($("new-board").value);
};
$("more-boards").onclick = more;

/** Shows the list, or the board of that name. */
async function show(name) {
  $("board-list").hidden = name !== "";
  $("board-page").hidden = name === "";
  if (name) return showBoard(name);
  $("boards-title").focus();
  await list();
}

/** Reads the list from its beginning. */
async function list() {
  const page = await read({});
  if (!page) return;
  $("boards").replaceChildren(...page.boards.map(entry));
  const none = $("board-prefix").value ? "No board's name begins so." : "There is no board yet.";
  $("no-boards").textContent = page.boards.length ? "" : none;
  if (page.boards.length) announce(`Boards: ${page.boards.length}${next ? " and more" : ""}.`);
}

async function more() {
  const page = await read({ after: next });
  if (!page) return;
  const entries = page.boards.map(entry);
  $("boards").append(...entries);
  entries[0]?.querySelector("a").focus();
}

/** A page of the list; undefined when it could not be read, or another is wanted by now. */
async function read(place) {
  const mine = ++reading;
  const query = new URLSearchParams({ limit: PAGE, prefix: $("board-prefix").value, ...place });
  try {
    const page = await call("GET", `api/boards?${query}`);
    if (mine !== reading) return;
    next = page.next;
    $("more-boards").hidden = next === null;
    $("boards-error").textContent = "";
    return page;
  } catch ({ message }) {
    if (mine === reading) $("boards-error").textContent = message;
  }
}

function entry({ board, title, description }) {
  const link = make("a", { href: `#boards/${board}` }, make("b", {}, board));
  if (title) link.append(" ", make("bdi", {}, title));
  const about = description ? [make("p", { className: "soft", dir: "auto" }, description)] : [];
  return make("li", {}, link, ...about);
}

/** Makes a board with the rules that boards have by themselves, and goes to it. */
async function create(name) {
  $("make-error").textContent = "";
  try {
    if (await exists(name)) throw new Error(`There is a board ${name} already.`);
    await call("PUT", `api/admin/boards/${name}`, {});
    $("new-board").value = "";
    location.hash = `boards/${name}`;
    announce(`${name} is made.`);
  } catch ({ message }) {
    $("make-error").textContent = message;
    $("new-board").focus();
  }
}

async function exists(name) {
  try {
    await call("GET", `api/admin/boards/${name}`);
    return true;
  } catch (error) {
    if (error.status === 404) return false;
    throw error;
  }
}
