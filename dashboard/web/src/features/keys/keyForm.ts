import { type UseFormReturnType, useForm } from "@mantine/form";
import type { ApiKey, NewApiKey } from "@/api/schema.gen";
import {
  type LimitFields,
  limitDraftOf,
  limitFieldsOf,
  limitProblem,
  newLimitFields,
} from "@/features/keys/limitFields";
import {
  newPolicyFields,
  type PolicyFields,
  policiesOf,
  policyFieldsOf,
  policyProblems,
} from "@/features/keys/policyFields";

const NAME_CHARACTERS_MAX = 128;

export type KeyFields = {
  name: string;
  limits: LimitFields[];
  allowedModels: string[];
  expireTime: string | null;
  groupId: string;
  policies: PolicyFields;
};
export type KeyForm = UseFormReturnType<KeyFields>;

/** The form of a key: a new one, or one that is there. */
export function useKeyForm(apiKey?: ApiKey): KeyForm {
  return useForm<KeyFields>({
    initialValues: apiKey ? keyFieldsOf(apiKey) : newKeyFields(),
    validate: {
      name: nameProblem,
      limits: { id: (_, values, path) => problemAt(values.limits, path) },
      policies: {
        defaultOutputTokens: (value) => policyProblems.defaultOutputTokens(value),
        allowanceRequests: (value, { policies }) => policyProblems.allowanceRequests(value, policies),
        allowanceSeconds: (value, { policies }) => policyProblems.allowanceSeconds(value, policies),
        inputPrice: (value, { policies }) => policyProblems.inputPrice(value, policies),
        outputPrice: (value, { policies }) => policyProblems.outputPrice(value, policies),
      },
    },
  });
}

export function keyDraftOf(fields: KeyFields): NewApiKey {
  const { name, limits, allowedModels, expireTime, groupId, policies } = fields;
  return {
    name: name.trim(),
    limits: limits.map(limitDraftOf),
    allowedModels,
    expireTime,
    groupId,
    policies: policiesOf(policies),
  };
}

export function keyFieldsOf(apiKey: ApiKey): KeyFields {
  const { name, limits, allowedModels, expireTime, groupPath, policies } = apiKey;
  return {
    name,
    limits: limits.map(limitFieldsOf),
    allowedModels: [...allowedModels],
    expireTime,
    groupId: groupPath.at(-1)?.groupId ?? "",
    policies: policyFieldsOf(policies),
  };
}

function newKeyFields(): KeyFields {
  return {
    name: "",
    limits: [newLimitFields()],
    allowedModels: [],
    expireTime: null,
    groupId: "",
    policies: newPolicyFields(),
  };
}

export function nameProblem(value: string): string | null {
  const { length } = value.trim();
  return length > 0 && length <= NAME_CHARACTERS_MAX ? null : `1 to ${NAME_CHARACTERS_MAX} characters`;
}

/** `path` is `limits.<line>.id`. */
export function problemAt(limits: LimitFields[], path: string): string | null {
  const fields = limits[Number(path.split(".")[1])];
  return fields ? limitProblem(fields, limits) : null;
}
