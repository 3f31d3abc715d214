/** What stands in the address: each name once, or several times for a list. */
export type SearchParams = Record<string, string | string[]>;

/** `?model=a&model=b&search=x` as `{model: ["a", "b"], search: "x"}`; every value stays a string. */
export function parseSearchParams(text: string): SearchParams {
  const params = new URLSearchParams(text);
  const names = new Set(params.keys());
  return Object.fromEntries([...names].map((name) => [name, oneOrMany(params.getAll(name))]));
}

/** The way back. What is absent, empty or an empty list leaves no trace in the address. */
export function stringifySearchParams(values: Record<string, unknown>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== "") {
        params.append(name, String(one));
      }
    }
  }
  const text = params.toString();
  return text && `?${text}`;
}

function oneOrMany(values: string[]): string | string[] {
  const [first] = values;
  return values.length === 1 && first !== undefined ? first : values;
}
