import { Skeleton } from "@mantine/core";

/** Stands where content will be; `label` says to a screen reader what is on its way. */
export function Loading({ label, height }: { label: string; height: number }) {
  return (
    <output aria-label={label}>
      <Skeleton height={height} />
    </output>
  );
}
