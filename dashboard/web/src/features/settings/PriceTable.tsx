import {
  ActionIcon,
  Button,
  Group,
  Input,
  NumberInput,
  Paper,
  Stack,
  Text,
  TextInput,
  Tooltip,
} from "@mantine/core";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { newPriceFields, PRICE_USD_MAX, type SettingsForm } from "@/features/settings/settingsForm";

/** Prices that go before the built-in list. */
export function PriceTable({ form }: { form: SettingsForm }) {
  const { prices } = form.values;
  return (
    <Stack gap={6}>
      <Group justify="space-between" align="end">
        <div>
          <Input.Label component="div">Prices of models</Input.Label>
          <Input.Description>
            In USD per million tokens. They go before the built-in list, and count from the next request on
          </Input.Description>
        </div>
        <Button
          size="compact-sm"
          variant="default"
          leftSection={<IconPlus size={14} />}
          onClick={() => form.insertListItem("prices", newPriceFields())}
        >
          Add a price
        </Button>
      </Group>
      {prices.length === 0 && (
        <Text size="sm" c="dimmed">
          The built-in list alone says what tokens cost.
        </Text>
      )}
      {prices.map((fields, index) => (
        <PriceLine key={fields.id} form={form} index={index} />
      ))}
    </Stack>
  );
}

function PriceLine({ form, index }: { form: SettingsForm; index: number }) {
  const at = `prices.${index}`;
  return (
    <Paper withBorder p="xs" role="group" aria-label={`Price ${index + 1}`}>
      <Group align="start" gap="xs" wrap="nowrap">
        <div className="limit-inputs price-inputs">
          <TextInput
            label="Model"
            size="xs"
            placeholder="gpt-5*"
            autoComplete="off"
            spellCheck={false}
            {...form.getInputProps(`${at}.model`)}
          />
          <Price form={form} label="Input" path={`${at}.input`} />
          <Price form={form} label="Output" path={`${at}.output`} />
          <Price form={form} label="Cached input" path={`${at}.cachedInput`} placeholder="as input" />
        </div>
        <Tooltip label="Remove this price">
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={`Remove price ${index + 1}`}
            onClick={() => form.removeListItem("prices", index)}
          >
            <IconTrash size={16} />
          </ActionIcon>
        </Tooltip>
      </Group>
    </Paper>
  );
}

type PriceProps = { form: SettingsForm; label: string; path: string; placeholder?: string };

function Price({ form, label, path, placeholder }: PriceProps) {
  return (
    <NumberInput
      label={label}
      size="xs"
      prefix="$"
      min={0}
      max={PRICE_USD_MAX}
      decimalScale={6}
      hideControls
      placeholder={placeholder}
      {...form.getInputProps(path)}
    />
  );
}
