import { Badge, Button, Checkbox, Combobox, Group, ScrollArea, Text, useCombobox } from "@mantine/core";
import { IconChevronDown } from "@tabler/icons-react";
import { useState } from "react";
import { type FacetOption, toggle } from "@/features/requests/facets";

const SEARCHABLE_FROM = 8;

type Props = {
  label: string;
  options: FacetOption[];
  selected: string[];
  onChange: (selected: string[]) => void;
};

/** One facet: a button that tells how many values are selected, and a menu of check boxes. */
export function FacetMenu({ label, options, selected, onChange }: Props) {
  const [text, setText] = useState("");
  const combobox = useCombobox({
    onDropdownClose: () => {
      combobox.resetSelectedOption();
      setText("");
    },
  });
  const shown = options.filter((option) => option.label.toLowerCase().includes(text.toLowerCase()));
  return (
    <Combobox
      store={combobox}
      width={280}
      position="bottom-start"
      onOptionSubmit={(value) => onChange(toggle(selected, value))}
    >
      <Combobox.Target withAriaAttributes={false}>
        <Button
          size="xs"
          variant={selected.length > 0 ? "light" : "default"}
          rightSection={<IconChevronDown size={14} />}
          aria-haspopup="listbox"
          aria-expanded={combobox.dropdownOpened}
          onClick={() => combobox.toggleDropdown()}
        >
          {label}
          {selected.length > 0 && ` · ${selected.length}`}
        </Button>
      </Combobox.Target>
      <Combobox.Dropdown>
        {options.length >= SEARCHABLE_FROM && (
          <Combobox.Search
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
            placeholder={`Find ${label.toLowerCase()}`}
          />
        )}
        <Combobox.Options aria-label={label}>
          <ScrollArea.Autosize mah={280} type="auto">
            {shown.length === 0 && <Combobox.Empty>Nothing under these filters</Combobox.Empty>}
            {shown.map((option) => (
              <FacetLine key={option.value} option={option} checked={selected.includes(option.value)} />
            ))}
          </ScrollArea.Autosize>
        </Combobox.Options>
      </Combobox.Dropdown>
    </Combobox>
  );
}

function FacetLine({ option, checked }: { option: FacetOption; checked: boolean }) {
  return (
    <Combobox.Option value={option.value} active={checked} aria-selected={checked}>
      <Group gap="xs" wrap="nowrap">
        <Checkbox.Indicator size="xs" checked={checked} />
        <Text size="sm" truncate title={option.label}>
          {option.label}
        </Text>
        {option.stale && <StaleBadge />}
      </Group>
    </Combobox.Option>
  );
}

/** The value is selected, but nothing under the other filters has it any more. */
export function StaleBadge() {
  return (
    <Badge
      size="xs"
      variant="light"
      color="yellow"
      tt="none"
      flex="none"
      title="Nothing under the other filters has it"
    >
      stale
    </Badge>
  );
}
