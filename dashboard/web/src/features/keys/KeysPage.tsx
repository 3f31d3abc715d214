import { Button, EmptyState, Skeleton, Stack, Text } from "@mantine/core";
import { IconFilterOff, IconKey, IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import type { ApiKey } from "@/api/schema.gen";
import { ExportMenu } from "@/components/ExportMenu";
import { Failure } from "@/components/Failure";
import { OutdatedNotice } from "@/components/OutdatedNotice";
import { PageHeader } from "@/components/PageHeader";
import { SearchField } from "@/components/SearchField";
import { type KeyAction, KeyCard } from "@/features/keys/KeyCard";
import { CreateKeyDialog, DeleteKeyDialog, EditKeyDialog, RotateKeyDialog } from "@/features/keys/KeyDialogs";
import { apiKeysQuery } from "@/features/keys/queries";
import { isMeant } from "@/features/keys/search";
import { UsageDialog } from "@/features/usage/UsageDialog";
import { count } from "@/lib/format";
import { usePolling } from "@/lib/polling";

type Dialog = { kind: "create" } | { kind: KeyAction; apiKey: ApiKey };

const route = getRouteApi("/signed-in/keys");

export function KeysPage() {
  const { interval } = usePolling();
  const keys = useQuery(apiKeysQuery(interval));
  const [dialog, setDialog] = useState<Dialog | null>(null);
  return (
    <Stack gap="sm">
      <PageHeader title="Keys" aside={keys.data && <Many many={keys.data.length} />}>
        <KeySearch />
        <ExportMenu path="/api/api-keys/export" />
        <Button
          size="xs"
          flex="none"
          leftSection={<IconPlus size={16} />}
          onClick={() => setDialog({ kind: "create" })}
        >
          New key
        </Button>
      </PageHeader>
      <OutdatedNotice query={keys} />
      {keys.isPending && <KeysSkeleton />}
      {keys.isLoadingError && <Failure error={keys.error} onRetry={() => void keys.refetch()} />}
      {keys.data && <KeyList apiKeys={keys.data} now={new Date(keys.dataUpdatedAt)} open={setDialog} />}
      <OpenDialog dialog={dialog} apiKeys={keys.data ?? []} onClose={() => setDialog(null)} />
    </Stack>
  );
}

function KeySearch() {
  const { search = "" } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <SearchField
      placeholder="Name, id or group"
      value={search}
      onChange={(text) => void navigate({ search: { search: text || undefined }, replace: true })}
    />
  );
}

type ListProps = { apiKeys: ApiKey[]; now: Date; open: (dialog: Dialog) => void };

function KeyList({ apiKeys, now, open }: ListProps) {
  const { search } = route.useSearch();
  const shown = apiKeys.filter((apiKey) => isMeant(apiKey, search));
  if (shown.length === 0) {
    return search ? (
      <EmptyState icon={<IconFilterOff />} title="No key has this name, and no group of one" py="xl" />
    ) : (
      <NoKeys />
    );
  }
  return shown.map((apiKey) => (
    <KeyCard key={apiKey.apiKeyId} apiKey={apiKey} now={now} onAction={(kind) => open({ kind, apiKey })} />
  ));
}

type OpenProps = { dialog: Dialog | null; apiKeys: ApiKey[]; onClose: () => void };

function OpenDialog({ dialog, apiKeys, onClose }: OpenProps) {
  if (dialog === null) {
    return null;
  }
  if (dialog.kind === "create") {
    return <CreateKeyDialog onClose={onClose} />;
  }
  const { apiKeyId } = dialog.apiKey;
  const apiKey = apiKeys.find((one) => one.apiKeyId === apiKeyId) ?? dialog.apiKey;
  switch (dialog.kind) {
    case "edit":
      return <EditKeyDialog apiKey={apiKey} onClose={onClose} />;
    case "usage":
      return <UsageDialog owner={{ kind: "key", id: apiKeyId, name: apiKey.name }} onClose={onClose} />;
    case "rotate":
      return <RotateKeyDialog apiKey={apiKey} onClose={onClose} />;
    case "delete":
      return <DeleteKeyDialog apiKey={apiKey} onClose={onClose} />;
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
