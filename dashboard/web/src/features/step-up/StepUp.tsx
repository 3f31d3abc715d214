import { Modal, Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, use, useCallback, useMemo, useState } from "react";
import { isStepUpDue } from "@/api/errors";
import { totpQuery } from "@/features/security/queries";
import { StepUpForm } from "@/features/step-up/StepUpForm";

/** Runs a dangerous call; where the service wants proof first, asks for it and runs the call again. */
type StepUp = <T>(call: () => Promise<T>) => Promise<T>;

/** The operator closed the question: nothing was changed. */
class NotConfirmed extends Error {
  constructor() {
    super("You have not confirmed that it is you. Nothing was changed.");
  }
}

type Question = { hasTotp: boolean; answer: () => void; refuse: () => void };

const StepUpContext = createContext<StepUp>((call) => call());

export function StepUpProvider({ children }: { children: ReactNode }) {
  const queryClient = useQueryClient();
  const [question, setQuestion] = useState<Question | null>(null);
  const ask = useCallback(async () => {
    const { configured } = await queryClient.fetchQuery(totpQuery);
    await new Promise<void>((resolve, reject) => {
      setQuestion({ hasTotp: configured, answer: resolve, refuse: () => reject(new NotConfirmed()) });
    }).finally(() => setQuestion(null));
  }, [queryClient]);
  const run = useMemo<StepUp>(
    () => async (call) => {
      try {
        return await call();
      } catch (error) {
        if (!isStepUpDue(error)) {
          throw error;
        }
      }
      await ask();
      return await call();
    },
    [ask],
  );
  return (
    <StepUpContext value={run}>
      {children}
      <Modal
        opened={question !== null}
        onClose={() => question?.refuse()}
        title="Confirm that it is you"
        zIndex={300}
        closeButtonProps={{ "aria-label": "Close" }}
      >
        {question && (
          <>
            <Text size="sm" c="dimmed" mb="md">
              It has been a while since you signed in, and this change is a dangerous one.
            </Text>
            <StepUpForm hasTotp={question.hasTotp} onConfirmed={question.answer} />
          </>
        )}
      </Modal>
    </StepUpContext>
  );
}

export function useStepUp(): StepUp {
  return use(StepUpContext);
}
