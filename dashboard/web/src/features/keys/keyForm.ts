import { type UseFormReturnType, useForm } from "@mantine/form";
import type { ApiKey, NewApiKey } from "@/api/schema.gen";
import {
  type LimitFields,
  limitDraftOf,
  limitFieldsOf,
  limitProblem,
  newLimitFields,
} from "@/features/keys/limitFields";

const NAME_CHARACTERS_MAX = 128;

export type KeyFields = {
  name: string;
  limits: LimitFields[];
  allowedModels: string[];
  expireTime: string | null;
};
export type KeyForm = UseFormReturnType<KeyFields>;

/** The form of a key: a new one, or one that is there. */
export function useKeyForm(apiKey?: ApiKey): KeyForm {
  return useForm<KeyFields>({
    initialValues: apiKey ? fieldsOf(apiKey) : newKeyFields(),
    validate: {
      name: (value) => (isName(value.trim()) ? null : `1 to ${NAME_CHARACTERS_MAX} characters`),
      limits: { id: (_, values, path) => problemAt(values.limits, path) },
    },
  });
}

export function keyDraftOf(fields: KeyFields): NewApiKey {
  const { name, limits, allowedModels, expireTime } = fields;
  return { name: name.trim(), limits: limits.map(limitDraftOf), allowedModels, expireTime };
}

function newKeyFields(): KeyFields {
  return { name: "", limits: [newLimitFields()], allowedModels: [], expireTime: null };
}

function fieldsOf({ name, limits, allowedModels, expireTime }: ApiKey): KeyFields {
  return { name, limits: limits.map(limitFieldsOf), allowedModels: [...allowedModels], expireTime };
}

function isName(name: string): boolean {
  return name.length > 0 && name.length <= NAME_CHARACTERS_MAX;
}

/** `path` is `limits.<line>.id`. */
function problemAt(limits: LimitFields[], path: string): string | null {
  const fields = limits[Number(path.split(".")[1])];
  return fields ? limitProblem(fields, limits) : null;
}
