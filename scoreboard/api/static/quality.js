// How often what the gate refused was approved by people, by what an agent objected to.

import { make } from "./dom.js";
import { call } from "./session.js";

/** The rows of that table: agent, feature, open, approved with its share, confirmed. */
export async function decidedRows() {
  const { features } = await call("GET", "api/admin/decisions");
  return features.map(({ agent, feature, open, approved, confirmed }) => {
    const decided = approved + confirmed;
    const share = decided ? ` (${Math.round((100 * approved) / decided)}%)` : "";
    const cells = [agent, feature, open, `${approved}${share}`, confirmed];
    return make("tr", {}, ...cells.map((text) => make("td", {}, String(text))));
  });
}
