import { CloseButton, Kbd, TextInput } from "@mantine/core";
import { useDebouncedCallback, useHotkeys } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useEffect, useRef, useState } from "react";

const PAUSE_MILLISECONDS = 300;

type Props = { placeholder: string; value: string; onChange: (value: string) => void };

/** Free text; what is typed reaches the address after a short pause, what changes the address shows here. */
export function SearchField({ placeholder, value, onChange }: Props) {
  const [text, setText] = useState(value);
  const sent = useRef(value);
  const input = useRef<HTMLInputElement>(null);
  useHotkeys([["/", () => input.current?.focus()]]);
  useEffect(() => {
    if (value !== sent.current) {
      sent.current = value;
      setText(value);
    }
  }, [value]);
  const send = (next: string) => {
    sent.current = next.trim();
    onChange(sent.current);
  };
  const sendLater = useDebouncedCallback(send, PAUSE_MILLISECONDS);
  const type = (next: string) => {
    setText(next);
    sendLater(next);
  };
  const clear = () => {
    sendLater.cancel();
    setText("");
    send("");
  };
  return (
    <TextInput
      ref={input}
      size="xs"
      w={{ base: "100%", xs: 260 }}
      aria-label="Search"
      placeholder={placeholder}
      leftSection={<IconSearch size={14} />}
      rightSection={
        text ? (
          <CloseButton size="xs" aria-label="Clear the search" onClick={clear} />
        ) : (
          <Kbd size="xs">/</Kbd>
        )
      }
      value={text}
      onChange={(event) => type(event.currentTarget.value)}
    />
  );
}
