import { Button, Group } from "@mantine/core";

type Props = { label: string; loading: boolean; disabled?: boolean; onCancel: () => void };

/** The end of a form in a dialog. */
export function DialogButtons({ label, loading, disabled, onCancel }: Props) {
  return (
    <Group justify="flex-end" gap="xs">
      <Button variant="default" onClick={onCancel}>
        Cancel
      </Button>
      <Button type="submit" loading={loading} disabled={disabled}>
        {label}
      </Button>
    </Group>
  );
}
