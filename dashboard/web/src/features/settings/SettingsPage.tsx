import { Alert, Button, Group, NumberInput, Select, Skeleton, Stack, Switch, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconInfoCircle } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Settings } from "@/api/schema.gen";
import { EditFailure } from "@/components/EditFailure";
import { Failure } from "@/components/Failure";
import { OutdatedNotice } from "@/components/OutdatedNotice";
import { PageHeader } from "@/components/PageHeader";
import { PriceTable } from "@/features/settings/PriceTable";
import { settingsQuery, usePutSettings } from "@/features/settings/queries";
import {
  RETENTION_DAYS_MAX,
  settingsFieldsOf,
  settingsOf,
  useSettingsForm,
} from "@/features/settings/settingsForm";

const STRATEGIES: Record<Settings["routingStrategy"], { label: string; meaning: string }> = {
  usage_weighted: {
    label: "By what is left",
    meaning: "The more is left of its tightest window, the more requests an account gets",
  },
  round_robin: { label: "In turn", meaning: "Every usable account gets as many requests as the others" },
  prefer_earlier_reset: {
    label: "Soonest reset first",
    meaning: "The account whose longer window resets soonest, since what it leaves unused is lost then",
  },
};
const STRATEGY_OPTIONS = Object.entries(STRATEGIES).map(([value, { label }]) => ({ value, label }));

export function SettingsPage() {
  const settings = useQuery(settingsQuery);
  return (
    <Stack gap="sm" maw={760}>
      <PageHeader title="Settings" />
      <OutdatedNotice query={settings} />
      {settings.isPending && <Skeleton height={320} aria-label="Loading settings" />}
      {settings.isLoadingError && <Failure error={settings.error} onRetry={() => void settings.refetch()} />}
      {settings.data && <SettingsEditor settings={settings.data} />}
    </Stack>
  );
}

/** `settings` are as they were read last, which may be later than what the form began with. */
function SettingsEditor({ settings }: { settings: Settings }) {
  const [base, setBase] = useState(settings);
  const form = useSettingsForm(base);
  const put = usePutSettings();
  const showThat = (latest: Settings) => {
    setBase(latest);
    form.setInitialValues(settingsFieldsOf(latest));
    form.setValues(settingsFieldsOf(latest));
  };
  const submit = form.onSubmit((fields) =>
    put.mutate(settingsOf(fields, base.version), {
      onSuccess: (stored) => {
        showThat(stored);
        notifications.show({ message: "The settings are stored. The proxies follow within a second." });
      },
    }),
  );
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="lg">
        {base.version === 0 && <NothingStored />}
        <Routing form={form} />
        <NumberInput
          label="Request log"
          description="How long a request stays in it"
          suffix=" days"
          maw={260}
          min={1}
          max={RETENTION_DAYS_MAX}
          allowDecimal={false}
          thousandSeparator=","
          {...form.getInputProps("requestLogRetentionDays")}
        />
        <PriceTable form={form} />
        {put.error && (
          <EditFailure
            title="The settings were not stored"
            error={put.error}
            isReadAgain={settings.version !== base.version}
            onStartAgain={() => {
              showThat(settings);
              put.reset();
            }}
            onKeepMine={() => {
              setBase(settings);
              put.reset();
            }}
          />
        )}
        <Group gap="xs">
          <Button type="submit" loading={put.isPending}>
            Save
          </Button>
          <Button variant="default" disabled={!form.isDirty()} onClick={() => showThat(settings)}>
            Undo
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Routing({ form }: { form: ReturnType<typeof useSettingsForm> }) {
  return (
    <Stack gap="sm">
      <Select
        label="Which account serves next"
        description={STRATEGIES[form.values.routingStrategy].meaning}
        maw={420}
        allowDeselect={false}
        data={STRATEGY_OPTIONS}
        {...form.getInputProps("routingStrategy")}
      />
      <Switch
        label="Keep a conversation on one account"
        description="Requests with one prompt_cache_key go to the same account while it is usable"
        {...form.getInputProps("sticky", { type: "checkbox" })}
      />
      <Switch
        label="Hide the accounts' windows from callers"
        description="Answers then carry no x-codex-primary-* and x-codex-secondary-* headers"
        {...form.getInputProps("hidePoolLimits", { type: "checkbox" })}
      />
    </Stack>
  );
}

function NothingStored() {
  return (
    <Alert p="xs" icon={<IconInfoCircle size={18} />} role="status">
      <Text size="sm">
        Nothing is stored yet: each proxy goes by its own environment, which may differ from the defaults
        shown here. From the first save on, all of them follow this page.
      </Text>
    </Alert>
  );
}
