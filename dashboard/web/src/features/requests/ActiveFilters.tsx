import { Button, CloseButton, Group, Paper, Text } from "@mantine/core";
import { StaleBadge } from "@/features/requests/FacetMenu";
import { type FacetOption, toggle } from "@/features/requests/facets";
import { FACETS, type Facet, hasFilters, NO_FILTERS, type RequestSearch } from "@/features/requests/search";

export const FACET_LABELS: Record<Facet, string> = {
  status: "Status",
  apiKeyId: "Key",
  model: "Model",
  accountId: "Account",
};

type Props = {
  search: RequestSearch;
  options: Record<Facet, FacetOption[]>;
  change: (changes: Partial<RequestSearch>) => void;
};

/** Every selected value, each with its own way out, stale ones included. */
export function ActiveFilters({ search, options, change }: Props) {
  if (!hasFilters(search)) {
    return null;
  }
  return (
    <Group gap={6} aria-label="Active filters" role="group">
      {FACETS.flatMap((facet) =>
        options[facet]
          .filter(({ value }) => isSelected(search, facet, value))
          .map((option) => (
            <FilterPill
              key={`${facet} ${option.value}`}
              label={FACET_LABELS[facet]}
              option={option}
              onRemove={() => change({ [facet]: toggle(search[facet], option.value) })}
            />
          )),
      )}
      <Button size="compact-xs" variant="subtle" color="gray" onClick={() => change(NO_FILTERS)}>
        Clear all
      </Button>
    </Group>
  );
}

function isSelected(search: RequestSearch, facet: Facet, value: string): boolean {
  const selected: readonly string[] = search[facet];
  return selected.includes(value);
}

type PillProps = { label: string; option: FacetOption; onRemove: () => void };

function FilterPill({ label, option, onRemove }: PillProps) {
  return (
    <Paper withBorder pl={8} pr={2} py={1} data-filter={option.value}>
      <Group gap={6} wrap="nowrap">
        <Text size="xs" c="dimmed">
          {label}
        </Text>
        <Text size="xs" maw={220} truncate title={option.label}>
          {option.label}
        </Text>
        {option.stale && <StaleBadge />}
        <CloseButton size="xs" aria-label={`Remove ${label} ${option.label}`} onClick={onRemove} />
      </Group>
    </Paper>
  );
}
