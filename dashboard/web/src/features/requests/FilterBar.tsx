import { Group, Stack } from "@mantine/core";
import type { RequestLogOptions } from "@/api/schema.gen";
import { SearchField } from "@/components/SearchField";
import { ActiveFilters, FACET_LABELS } from "@/features/requests/ActiveFilters";
import { FacetMenu } from "@/features/requests/FacetMenu";
import type { Facet } from "@/features/requests/search";
import { TimeFilter } from "@/features/requests/TimeFilter";
import { useFacetOptions } from "@/features/requests/useFacetOptions";
import { useRequestSearch } from "@/features/requests/useRequestSearch";

const ORDER: readonly Facet[] = ["status", "apiKeyId", "model", "accountId"];

export function FilterBar({ options }: { options: RequestLogOptions | undefined }) {
  const { search, change } = useRequestSearch();
  const facets = useFacetOptions(options, search);
  return (
    <Stack gap={8}>
      <Group gap={8} role="search">
        <SearchField
          placeholder="Request id, model, error…"
          value={search.search ?? ""}
          onChange={(text) => change({ search: text || undefined }, { replace: true })}
        />
        <TimeFilter search={search} change={change} />
        {ORDER.map((facet) => (
          <FacetMenu
            key={facet}
            label={FACET_LABELS[facet]}
            options={facets[facet]}
            selected={search[facet]}
            onChange={(selected) => change({ [facet]: selected })}
          />
        ))}
      </Group>
      <ActiveFilters search={search} options={facets} change={change} />
    </Stack>
  );
}
