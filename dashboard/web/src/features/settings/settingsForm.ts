import { type UseFormReturnType, useForm } from "@mantine/form";
import type { NewSettings, Settings } from "@/api/schema.gen";

/** One line of the price table; an empty price of cached input is that of other input. */
export type PriceFields = {
  /** Tells the lines of the form apart. */
  id: string;
  model: string;
  input: number | string;
  output: number | string;
  cachedInput: number | string;
};

export type SettingsFields = {
  routingStrategy: Settings["routingStrategy"];
  sticky: boolean;
  hidePoolLimits: boolean;
  requestLogRetentionDays: number | string;
  prices: PriceFields[];
};
export type SettingsForm = UseFormReturnType<SettingsFields>;

/** The service's own bounds. */
export const RETENTION_DAYS_MAX = 3650;
export const PRICE_USD_MAX = 1_000_000;
const MODEL = /^(?=.)[\x21-\x29\x2b-\x7e]{0,256}\*?$/;

export function useSettingsForm(settings: Settings): SettingsForm {
  return useForm<SettingsFields>({
    initialValues: settingsFieldsOf(settings),
    validate: {
      requestLogRetentionDays: retentionProblem,
      prices: {
        model: (value, { prices }) => modelProblem(value, prices),
        input: (value) => priceProblem(value),
        output: (value) => priceProblem(value),
        cachedInput: (value) => (value === "" ? null : priceProblem(value)),
      },
    },
  });
}

export function settingsFieldsOf(settings: Settings): SettingsFields {
  const { routingStrategy, sticky, hidePoolLimits, requestLogRetentionDays, priceOverrides } = settings;
  const prices = Object.entries(priceOverrides).map(([model, { input, output, cachedInput }]) => ({
    id: crypto.randomUUID(),
    model,
    input: Number(input),
    output: Number(output),
    cachedInput: cachedInput === null ? "" : Number(cachedInput),
  }));
  return { routingStrategy, sticky, hidePoolLimits, requestLogRetentionDays, prices };
}

export function newPriceFields(): PriceFields {
  return { id: crypto.randomUUID(), model: "", input: "", output: "", cachedInput: "" };
}

/** The settings as the service takes them. */
export function settingsOf(fields: SettingsFields, version: number): NewSettings {
  const { routingStrategy, sticky, hidePoolLimits, requestLogRetentionDays, prices } = fields;
  return {
    version,
    routingStrategy,
    sticky,
    hidePoolLimits,
    requestLogRetentionDays: Number(requestLogRetentionDays),
    priceOverrides: Object.fromEntries(
      prices.map(({ model, input, output, cachedInput }) => [
        model.trim(),
        {
          input: String(input),
          output: String(output),
          cachedInput: cachedInput === "" ? null : String(cachedInput),
        },
      ]),
    ),
  };
}

export function modelProblem(model: string, prices: readonly PriceFields[]): string | null {
  const name = model.trim();
  if (!MODEL.test(name)) {
    return "A name, or its beginning and *";
  }
  return prices.filter((one) => one.model.trim() === name).length > 1 ? "Stands here twice" : null;
}

function priceProblem(value: number | string): string | null {
  const price = Number(value);
  return value !== "" && price >= 0 && price <= PRICE_USD_MAX ? null : "USD, at least 0";
}

function retentionProblem(value: number | string): string | null {
  const days = Number(value);
  const isRight = Number.isInteger(days) && days >= 1 && days <= RETENTION_DAYS_MAX;
  return isRight ? null : "Whole days, 1 to 3,650";
}
