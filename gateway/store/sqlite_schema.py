"""The tables of the SQLite store. Nothing is kept per waiting visitor, but for a minute of answered knocks."""

from typing import Final

# Grows with every change that older programs would misread.
SCHEMA_VERSION: Final = 5

# Places per blob of `marks`: 4 KiB, so that one turn rewrites about one page.
CHUNK_BYTES: Final = 4096
CHUNK_PLACES: Final = CHUNK_BYTES * 8

SCHEMA: Final = """
-- One row. boot_id: the boot of the machine the file was last opened in.
-- now_ms, mono_ms: the store's clock and the monotonic one, as the last committed plan saw them.
CREATE TABLE meta (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  schema_version INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  now_ms INTEGER NOT NULL,
  mono_ms INTEGER NOT NULL
) STRICT;

-- The counters of a room; most are fields of Snapshot. settings: the live ones; file_settings: as the settings file
-- had them at the last opening (both JSON). reserved: numbers up to here may have been answered before a power loss.
-- ceiling: on live passes, as the last committed plan had it. draw_secret: hex. draw_size: NULL until lots are drawn.
-- blocks (waves that have joined, by name), at_risk, came, counters: JSON.
CREATE TABLE rooms (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  settings TEXT NOT NULL,
  file_settings TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  tick INTEGER NOT NULL,
  last_tick_ms INTEGER NOT NULL,
  pass_clock_ms INTEGER NOT NULL,
  call_clock_ms INTEGER NOT NULL,
  tail INTEGER NOT NULL,
  reserved INTEGER NOT NULL,
  serving INTEGER NOT NULL,
  watermark INTEGER NOT NULL,
  left_ahead INTEGER NOT NULL,
  credit INTEGER NOT NULL,
  call_credit INTEGER NOT NULL,
  entry_credit INTEGER NOT NULL DEFAULT 0,
  admitting INTEGER NOT NULL,
  live INTEGER NOT NULL,
  lane_waiting INTEGER NOT NULL,
  lane_granted INTEGER NOT NULL,
  pace_milli INTEGER NOT NULL,
  ceiling INTEGER NOT NULL,
  draw_secret TEXT NOT NULL,
  draw_size INTEGER,
  blocks TEXT NOT NULL,
  at_risk TEXT NOT NULL,
  came TEXT NOT NULL,
  counters TEXT NOT NULL
) STRICT;

-- Places that have had their turn or whose holders left. Bit i of byte j of a chunk is place chunk * 32768 + 8j + i.
CREATE TABLE marks (
  room INTEGER NOT NULL,
  chunk INTEGER NOT NULL,
  bits BLOB NOT NULL,
  PRIMARY KEY (room, chunk)
) STRICT;

-- Live passes; a row lives, whatever the time, until a transition deletes it. trial_ms: until when it is on trial;
-- 0: it is not any more. failed: the backend has failed it.
CREATE TABLE passes (
  room INTEGER NOT NULL,
  place INTEGER NOT NULL,
  pass_id TEXT NOT NULL,
  how TEXT NOT NULL,
  expires_ms INTEGER NOT NULL,
  ends_ms INTEGER NOT NULL,
  trial_ms INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (room, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX passes_by_expiry ON passes (room, expires_ms);

CREATE TABLE calls (
  room INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  called_at_ms INTEGER NOT NULL,
  remaining INTEGER NOT NULL,
  PRIMARY KEY (room, first)
) STRICT, WITHOUT ROWID;

-- Who came when every seat was taken. granted_at_ms: on the call clock, when a seat was kept; NULL while waiting.
CREATE TABLE lane (
  room INTEGER NOT NULL,
  place INTEGER NOT NULL,
  late INTEGER NOT NULL,
  granted_at_ms INTEGER,
  PRIMARY KEY (room, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX lane_waiting ON lane (room, place) WHERE granted_at_ms IS NULL;
CREATE INDEX lane_granted ON lane (room, granted_at_ms) WHERE granted_at_ms IS NOT NULL;

-- Knocks answered lately.
CREATE TABLE knocks (
  room INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  knock INTEGER NOT NULL,
  number INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  PRIMARY KEY (room, epoch, knock)
) STRICT, WITHOUT ROWID;
CREATE INDEX knocks_by_expiry ON knocks (expires_ms);
"""

# From the version before to each later one. A ceiling is set by the next plan, before which nobody is admitted.
UPGRADES: Final = {
    2: """
ALTER TABLE rooms ADD COLUMN ceiling INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rooms ADD COLUMN draw_secret TEXT NOT NULL DEFAULT '';
ALTER TABLE rooms ADD COLUMN draw_size INTEGER;
UPDATE rooms SET draw_secret = lower(hex(randomblob(32))), admitting = 0;
UPDATE meta SET schema_version = 2;
""",
    3: """
ALTER TABLE rooms ADD COLUMN blocks TEXT NOT NULL DEFAULT '{}';
UPDATE meta SET schema_version = 3;
""",
    4: """
ALTER TABLE passes ADD COLUMN trial_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE passes ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;
UPDATE meta SET schema_version = 4;
""",
    5: """
ALTER TABLE rooms ADD COLUMN entry_credit INTEGER NOT NULL DEFAULT 0;
UPDATE meta SET schema_version = 5;
""",
}
