/** One line of a facet's menu. */
export type FacetOption = {
  value: string;
  label: string;
  /** Selected, but nothing under the other filters has it any more. */
  stale: boolean;
};

/** What the service offers: ids with names, or plain words. */
export type Offered = ReadonlyArray<{ id: string; name: string }>;

/**
 * The options united with the selected values, stale ones first.
 *
 * `offered` is undefined while the options are not known: then nothing is called stale.
 * `names` are the names that were seen earlier, for values that are no longer offered.
 */
export function uniteOptions(
  offered: Offered | undefined,
  selected: readonly string[],
  names: ReadonlyMap<string, string> = new Map(),
): FacetOption[] {
  const options = (offered ?? []).map(({ id, name }) => ({ value: id, label: name, stale: false }));
  const known = new Set(options.map(({ value }) => value));
  const missing = selected
    .filter((value) => !known.has(value))
    .map((value) => ({ value, label: names.get(value) ?? value, stale: offered !== undefined }));
  return [...missing, ...options];
}

export function toggle(selected: readonly string[], value: string): string[] {
  return selected.includes(value) ? selected.filter((one) => one !== value) : [...selected, value];
}
