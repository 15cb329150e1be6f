// What a board's rules mean for its page.

const DEFAULTS = {
  allTime: true,
  order: "desc",
  decimals: 0,
  rankStyle: "ordinal",
  topSize: 10,
  title: "",
  unit: "",
  description: "",
};

export class Rules {
  #plain;
  #signed;

  constructor(told = {}) {
    Object.assign(this, DEFAULTS, told);
    const { decimals } = this;
    const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    this.#plain = new Intl.NumberFormat(undefined, digits);
    this.#signed = new Intl.NumberFormat(undefined, { ...digits, signDisplay: "always" });
  }

  /** 1 where more is better, -1 where less is. */
  get sign() {
    return this.order === "asc" ? -1 : 1;
  }

  /** A total, which is an integer in the smallest unit, as people read it. Exact: totals are below
   * 2 ** 52, so what the division loses is less than half of the last decimal. */
  written(total) {
    return this.#plain.format(total / 10 ** this.decimals);
  }

  /** A difference of totals, with its sign. */
  signed(difference) {
    return this.#signed.format(difference / 10 ** this.decimals);
  }

  /** A table's first entries ({userId, score}), with their ranks. */
  ranked(entries) {
    const shared = this.rankStyle === "standard";
    let rank = 0;
    return entries.map((entry, index) => {
      if (!(shared && index && entry.score === entries[index - 1].score)) rank = index + 1;
      return { ...entry, rank };
    });
  }
}
