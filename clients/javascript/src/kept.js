// Which of the things that a store finds are actions: what else there is was damaged, and is left out.

/** Whether the action can be sent. */
export function isAction(action) {
  const texts = [action?.board, action?.userId, action?.actionId];
  return texts.every((text) => typeof text === "string") && Number.isInteger(action.points);
}
