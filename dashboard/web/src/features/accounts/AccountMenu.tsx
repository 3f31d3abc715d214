import { ActionIcon, Menu } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import {
  IconDots,
  IconKey,
  IconListDetails,
  IconPlayerPause,
  IconPlayerPlay,
  IconTrash,
} from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import type { Account } from "@/api/schema.gen";
import { usePauseAccount, useResumeAccount } from "@/features/accounts/queries";

export type AccountAction = "secrets" | "delete";

type Props = { account: Account; onAction: (action: AccountAction) => void };

export function AccountMenu({ account, onAction }: Props) {
  const isOAuth = account.kind === "oauth";
  return (
    <Menu position="bottom-end" width={190}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={`Actions for ${account.name}`}>
          <IconDots size={18} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <StateItems account={account} />
        {!account.isDemo && (
          <Menu.Item leftSection={<IconKey size={16} />} onClick={() => onAction("secrets")}>
            {isOAuth ? "Sign in again…" : "Replace the key…"}
          </Menu.Item>
        )}
        <Menu.Item
          leftSection={<IconListDetails size={16} />}
          renderRoot={(props) => (
            <Link to="/requests" search={{ accountId: [account.accountId] }} {...props} />
          )}
        >
          Its requests
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={() => onAction("delete")}>
          Remove…
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

/** What takes it out of service, and what puts it back from whatever state it is in. */
function StateItems({ account }: { account: Account }) {
  const pause = usePauseAccount();
  const resume = useResumeAccount();
  const onError = (error: Error) =>
    notifications.show({ color: "red", title: account.name, message: error.message });
  return (
    <>
      {account.state !== "active" && (
        <Menu.Item
          leftSection={<IconPlayerPlay size={16} />}
          onClick={() => resume.mutate(account, { onError })}
        >
          {account.state === "paused" ? "Resume" : "Use it all the same"}
        </Menu.Item>
      )}
      {account.state !== "paused" && (
        <Menu.Item
          leftSection={<IconPlayerPause size={16} />}
          onClick={() => pause.mutate(account, { onError })}
        >
          Pause
        </Menu.Item>
      )}
    </>
  );
}
