import { localClock, localDay, utc } from "@/lib/format";

/** A time in the operator's own zone; hovering tells it in UTC. */
export function Moment({ value }: { value: string }) {
  const time = new Date(value);
  return (
    <time dateTime={value} title={utc(time)} className="nowrap">
      <span className="day">{localDay(time)} </span>
      {localClock(time)}
    </time>
  );
}
