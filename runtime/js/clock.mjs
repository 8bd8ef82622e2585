/* The fields that the host reads off its clock: `weekday` and `minute_of_day`, in the policy's time zone.
 *
 * What always holds: at a time that no calendar has there are none, so an unknown time is never taken for another.
 */

const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const YEARS = [-62135596800000n, 253402300799999n]; // 1 to 9999

/** From a time in ms since 1970 (UTC) to the clock's fields of a schema; throws a RangeError for an unknown zone. */
export function clockOf(schema) {
  const declared = schema.fields.filter((one) => one.origin === "clock");
  if (schema.timeZone === null) return () => ({});
  const options = { timeZone: schema.timeZone, weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const format = new Intl.DateTimeFormat("en-US", options);
  return (nowMs) => {
    if (BigInt(nowMs) < YEARS[0] || BigInt(nowMs) > YEARS[1]) return {};
    const part = Object.fromEntries(format.formatToParts(Number(nowMs)).map((one) => [one.type, one.value]));
    const minute_of_day = Number(part.hour) * 60 + Number(part.minute);
    const values = { weekday: WEEKDAYS.indexOf(part.weekday), minute_of_day };
    const known = declared.filter((one) => Object.hasOwn(values, one.name));
    return Object.fromEntries(known.map((one) => [one.name, one.members[values[one.name]] ?? values[one.name]]));
  };
}
