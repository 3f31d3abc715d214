import { Button, Checkbox, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";
import type { Reservation } from "@/api/schema.gen";
import { Failure } from "@/components/Failure";
import { useForceRelease } from "@/features/reservations/queries";
import { amountsInWords } from "@/lib/amounts";
import { seconds } from "@/lib/format";

/** Asks for a reason and for the word that the operator knows what it means. */
export function ReleaseDialog({ reservation, onClose }: { reservation: Reservation; onClose: () => void }) {
  const release = useForceRelease();
  const form = useForm({
    initialValues: { reason: "", confirmed: false },
    validate: {
      reason: (value) => (value.trim() ? null : "Say why: it stays in the audit log"),
      confirmed: (value) => (value ? null : "Confirm this first"),
    },
  });
  const { reservationId, apiKeyName, apiKeyId, reserved, ageSeconds } = reservation;
  const submit = form.onSubmit(({ reason }) =>
    release.mutate(
      { reservationId, reason: reason.trim() },
      {
        onSuccess: ({ changed }) => {
          notifications.show({
            message: changed ? "The hold is given back." : "Nothing to do: it was settled already.",
          });
          onClose();
        },
      },
    ),
  );
  return (
    <Modal opened onClose={onClose} title="Give this hold back?">
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          <Text size="sm">
            {apiKeyName ?? apiKeyId} has held {amountsInWords(reserved) || "this"} for {seconds(ageSeconds)}.
            The room is free at once; if the request is still running and reports its usage later, that is
            charged all the same, and the limit may be overrun by it.
          </Text>
          <TextInput label="Reason" maxLength={256} data-autofocus {...form.getInputProps("reason")} />
          <Checkbox
            label="I know that the request may still be running"
            {...form.getInputProps("confirmed", { type: "checkbox" })}
          />
          {release.error && <Failure title="The hold was not given back" error={release.error} />}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              Keep it
            </Button>
            <Button type="submit" color="red" loading={release.isPending}>
              Give back
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
