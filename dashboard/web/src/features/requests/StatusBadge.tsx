import { Badge } from "@mantine/core";
import type { RequestLog } from "@/api/schema.gen";
import { statusLook } from "@/features/requests/status";

export function StatusBadge({ status }: { status: RequestLog["status"] }) {
  const { label, color, meaning } = statusLook(status);
  return (
    <Badge size="sm" radius="sm" variant="light" color={color} tt="none" flex="none" title={meaning}>
      {label}
    </Badge>
  );
}
