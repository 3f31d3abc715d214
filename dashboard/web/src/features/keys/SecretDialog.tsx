import { Modal } from "@mantine/core";
import { SecretPanel } from "@/features/keys/SecretPanel";

type Props = { title: string; secret: string; allowedModels: readonly string[]; onDone: () => void };

/** A secret that is shown once: no slip of the finger closes it. */
export function SecretDialog({ title, ...panel }: Props) {
  return (
    <Modal
      opened
      onClose={panel.onDone}
      size="xl"
      title={title}
      closeOnClickOutside={false}
      closeOnEscape={false}
      withCloseButton={false}
    >
      <SecretPanel {...panel} />
    </Modal>
  );
}
