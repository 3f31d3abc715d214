import { Badge } from "@mantine/core";
import { statusLook } from "@/features/requests/status";

export function StatusBadge({ status }: { status: string }) {
  const { label, color, meaning } = statusLook(status);
  return (
    <Badge size="sm" radius="sm" variant="light" color={color} tt="none" title={meaning}>
      {label}
    </Badge>
  );
}
