// Which row stands under which, and the lines between them. Pure: the rows as the server sent them in, rows in
// drawing order out.
//
// Infrastructure is gathered: beside what it surrounds stands one row for all of it, a group. Closed, it hides
// its rows, and what hangs under them hangs under the group's neighbours instead; open, they stand in it as sent.

const DEEPEST = 20; // levels below are drawn at this depth
export const GROUP = "infrastructure"; // type of a group's row

/** `sent`: parents before children, `below` rows under each. `isOpen` says it of a group's id. */
export function arrange(sent, isOpen) {
  const { under, groups } = gather(sent, isOpen);
  const rows = [];
  const waiting = []; // what is still to be placed, the next one at the end
  const put = (place, parent, depth, guides) => {
    const children = under.get(place) ?? [];
    for (let i = children.length - 1; i >= 0; i--) {
      waiting.push({ child: children[i], parent, depth, guides, last: i === children.length - 1 });
    }
  };
  put(-1, -1, 0, 0);
  while (waiting.length) {
    const { child, ...place } = waiting.pop();
    const goesOn = place.depth > 0 && !place.last ? place.guides | (1 << place.depth) : place.guides;
    rows.push({ ...(sent[child] ?? groups.get(child).row), ...place, below: 0 });
    put(child, rows.length - 1, Math.min(place.depth + 1, DEEPEST), goesOn);
  }
  for (const row of rows.toReversed()) if (row.parent >= 0) rows[row.parent].below += row.below + 1;
  return rows;
}

/** What stands under each row (by place in `sent`; -1 is the trace) and under each group (by its id). */
function gather(sent, isOpen) {
  const under = new Map();
  const groups = new Map();
  const groupOf = []; // for plumbing: id of its group
  const hang = (place, child) => (under.has(place) ? under.get(place).push(child) : under.set(place, [child]));
  const path = [];
  sent.forEach((row, at) => {
    while (path.length && path.at(-1).until < at) path.pop();
    const up = path.at(-1)?.at ?? -1;
    if (row.below) path.push({ at, until: at + row.below });
    const within = groupOf[up]; // the row above is plumbing
    if (!row.plumbing) return void hang(within && !isOpen(within) ? groups.get(within).owner : up, at);
    const id = (groupOf[at] = within ?? groupId(sent[up]?.id));
    if (!groups.has(id)) {
      groups.set(id, { owner: up, row: { id, type: GROUP, group: 0, start: row.start, end: row.start } });
      hang(up, id);
    }
    note(groups.get(id).row, row);
    if (isOpen(id)) hang(within ? up : id, at);
  });
  return { under, groups };
}

/** A group is known by what it stands under. No observation has such an id. */
function groupId(owner) {
  return `\0${owner ?? ""}`;
}

/** The group that hides an observation, or nothing. */
export function groupOf(sent, id) {
  const path = [];
  for (let at = 0; at < sent.length; at++) {
    while (path.length && path.at(-1).until < at) path.pop();
    if (sent[at].id === id) {
      if (!sent[at].plumbing) return undefined;
      return groupId(path.findLast((above) => !sent[above.at].plumbing)?.id);
    }
    if (sent[at].below) path.push({ at, until: at + sent[at].below, id: sent[at].id });
  }
  return undefined;
}

/** A group reaches from the first start to the last end. */
function note(group, row) {
  group.group += 1;
  group.start = Math.min(group.start, row.start);
  group.end = Math.max(group.end, row.end ?? row.start);
  group.critical ||= row.critical;
}
