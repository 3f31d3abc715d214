import { Button, EmptyState, Skeleton, Stack, Text } from "@mantine/core";
import { IconKey, IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { ApiKey } from "@/api/schema.gen";
import { Failure } from "@/components/Failure";
import { OutdatedNotice } from "@/components/OutdatedNotice";
import { PageHeader } from "@/components/PageHeader";
import { KeyCard } from "@/features/keys/KeyCard";
import { CreateKeyDialog, DeleteKeyDialog, EditKeyDialog } from "@/features/keys/KeyDialogs";
import { apiKeysQuery } from "@/features/keys/queries";
import { count } from "@/lib/format";
import { usePolling } from "@/lib/polling";

type Dialog = { kind: "create" } | { kind: "edit" | "delete"; apiKey: ApiKey };

export function KeysPage() {
  const { interval } = usePolling();
  const keys = useQuery(apiKeysQuery(interval));
  const [dialog, setDialog] = useState<Dialog | null>(null);
  return (
    <Stack gap="sm">
      <PageHeader title="Keys" aside={keys.data && <Many many={keys.data.length} />}>
        <Button size="xs" leftSection={<IconPlus size={16} />} onClick={() => setDialog({ kind: "create" })}>
          New key
        </Button>
      </PageHeader>
      <OutdatedNotice query={keys} />
      {keys.isPending && <KeysSkeleton />}
      {keys.isLoadingError && <Failure error={keys.error} onRetry={() => void keys.refetch()} />}
      {keys.data?.length === 0 && <NoKeys />}
      {keys.data?.map((apiKey) => (
        <KeyCard
          key={apiKey.apiKeyId}
          apiKey={apiKey}
          now={new Date(keys.dataUpdatedAt)}
          onEdit={() => setDialog({ kind: "edit", apiKey })}
          onDelete={() => setDialog({ kind: "delete", apiKey })}
        />
      ))}
      <OpenDialog dialog={dialog} onClose={() => setDialog(null)} />
    </Stack>
  );
}

function OpenDialog({ dialog, onClose }: { dialog: Dialog | null; onClose: () => void }) {
  switch (dialog?.kind) {
    case "create":
      return <CreateKeyDialog onClose={onClose} />;
    case "edit":
      return <EditKeyDialog apiKey={dialog.apiKey} onClose={onClose} />;
    case "delete":
      return <DeleteKeyDialog apiKey={dialog.apiKey} onClose={onClose} />;
    default:
      return null;
  }
}

function Many({ many }: { many: number }) {
  return (
    <Text size="sm" c="dimmed">
      {count(many)}
    </Text>
  );
}

function NoKeys() {
  return (
    <EmptyState
      icon={<IconKey />}
      title="No keys yet"
      description="A key lets a client use the proxy, within the limits that you give it."
      py="xl"
    />
  );
}

function KeysSkeleton() {
  return (
    <output aria-label="Loading keys">
      <Stack gap="sm">
        <Skeleton height={110} />
        <Skeleton height={110} />
        <Skeleton height={110} />
      </Stack>
    </output>
  );
}
