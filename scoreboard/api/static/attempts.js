// What is tried on the press of a button, and where it is said that it failed.

const $ = (id) => document.getElementById(id);

/** A function that does what it is given, and shows in the element `id` why that failed; true when it did
 * not. */
export function attemptsIn(id) {
  return async (what) => {
    $(id).textContent = "";
    try {
      await what();
      return true;
    } catch ({ message }) {
      $(id).textContent = message;
      return false;
    }
  };
}
