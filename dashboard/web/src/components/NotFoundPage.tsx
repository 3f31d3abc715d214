import { Button, Center, EmptyState } from "@mantine/core";
import { IconMapOff } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";

export function NotFoundPage() {
  return (
    <Center mih="60vh">
      <EmptyState
        icon={<IconMapOff />}
        title="There is no such page"
        description="The address may be from another version, or mistyped."
      >
        <Button component={Link} to="/requests" variant="default">
          Go to Requests
        </Button>
      </EmptyState>
    </Center>
  );
}
