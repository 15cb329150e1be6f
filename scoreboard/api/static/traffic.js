// Rates and latencies of the last minute, from figures that count since the start.

const WINDOW = 60_000;

export class Rates {
  #reads = [];

  /** Adds what the service told of its traffic. Figures that fell are those of another process: what was
   * known of the one before is forgotten. */
  add(traffic) {
    const read = {
      at: Date.parse(traffic.at),
      answers: sum(traffic.answers),
      failures: traffic.answers["5xx"] ?? 0,
      actions: sum(traffic.actions),
      latencies: traffic.latencies,
    };
    const last = this.#reads.at(-1);
    if (last && (read.at <= last.at || read.answers < last.answers)) this.#reads = [];
    this.#reads.push(read);
    this.#reads = this.#reads.filter(({ at }) => read.at - at <= WINDOW);
  }

  /** A second; null until there were two reads. */
  get answers() {
    return this.#rate("answers");
  }

  get failures() {
    return this.#rate("failures");
  }

  get actions() {
    return this.#rate("actions");
  }

  /** How many answers took up to so many seconds: {upTo, answers}. */
  get latencies() {
    const [first, last] = [this.#reads[0], this.#reads.at(-1)];
    return last.latencies.map(({ upTo, answers }, i) => ({
      upTo,
      answers: first === last ? answers : answers - first.latencies[i].answers,
    }));
  }

  #rate(name) {
    const [first, last] = [this.#reads[0], this.#reads.at(-1)];
    if (first === last) return null;
    return (1000 * (last[name] - first[name])) / (last.at - first.at);
  }
}

/** Within how many seconds that share of the answers came, rounded up to the next bound; null without
 * any answer, Infinity beyond all bounds. */
export function quantile(latencies, share) {
  const all = latencies.at(-1).answers;
  if (all === 0) return null;
  return latencies.find(({ answers }) => answers >= share * all).upTo ?? Number.POSITIVE_INFINITY;
}

function sum(counts) {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
