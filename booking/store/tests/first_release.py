"""A database as release 0.1.0 left it: tables and rows in plain SQL, since what is in the field changes no more."""

from datetime import date
from typing import Final

from booking.person import Person
from booking.store.tests.desk import NOW_MS, plan

# As 0.1.0 made them on SQLite: what is in the field cannot be changed any more, so it is written out.
_TABLES: Final = """
CREATE TABLE centres (id VARCHAR NOT NULL, position INTEGER NOT NULL, name_ko VARCHAR NOT NULL,
    name_en VARCHAR NOT NULL, address_ko VARCHAR NOT NULL, address_en VARCHAR NOT NULL, PRIMARY KEY (id));
CREATE TABLE facts (name VARCHAR NOT NULL, value BLOB NOT NULL, PRIMARY KEY (name));
CREATE TABLE slots (id INTEGER NOT NULL, centre_id VARCHAR NOT NULL, starts_ms BIGINT NOT NULL,
    capacity INTEGER NOT NULL, taken INTEGER NOT NULL, PRIMARY KEY (id), UNIQUE (centre_id, starts_ms),
    CONSTRAINT never_oversold CHECK (taken >= 0 AND taken <= capacity),
    FOREIGN KEY(centre_id) REFERENCES centres (id));
CREATE INDEX ix_slots_starts_ms ON slots (starts_ms);
CREATE TABLE bookings (code VARCHAR NOT NULL, hold_id VARCHAR NOT NULL, slot_id INTEGER NOT NULL,
    person_key BLOB NOT NULL, birth_check BLOB NOT NULL, masked_name VARCHAR NOT NULL, created_ms BIGINT NOT NULL,
    cancelled_ms BIGINT, pass_id VARCHAR NOT NULL, room VARCHAR NOT NULL, epoch INTEGER NOT NULL, number INTEGER,
    place INTEGER, how VARCHAR NOT NULL, rule VARCHAR, settings_version INTEGER NOT NULL, PRIMARY KEY (code),
    UNIQUE (hold_id), FOREIGN KEY(slot_id) REFERENCES slots (id), UNIQUE (pass_id));
CREATE INDEX ix_bookings_slot_id ON bookings (slot_id);
CREATE UNIQUE INDEX one_live_booking_per_person ON bookings (person_key) WHERE cancelled_ms IS NULL;
CREATE TABLE holds (id VARCHAR NOT NULL, slot_id INTEGER NOT NULL, expires_ms BIGINT NOT NULL,
    person_key BLOB NOT NULL, birth_check BLOB NOT NULL, masked_name VARCHAR NOT NULL, pass_id VARCHAR NOT NULL,
    number INTEGER, PRIMARY KEY (id), FOREIGN KEY(slot_id) REFERENCES slots (id), UNIQUE (pass_id));
CREATE INDEX ix_holds_expires_ms ON holds (expires_ms);
"""
# What its code computed for these people under `SECRET`: key, and proof of the birth date.
_HONG: Final = (
    "8551af1f8544422eda0282aa1e4158ac635c47a38290c3725bfb8ed57d2cc4ff",
    "ef464b040d772a7aef291f070fb1951bfa2a04f65479865b3387f6fee4a3d344",
)
_KIM: Final = (
    "719f00c284f063aa9271d75f6200a253c210100c2a73fc48fadb987883e6c5fa",
    "0e8cfd5bea1adc7c13a03075c2a9cd4f1e6f455b06e5a164e62f86af4cd3c30a",
)
_FINGERPRINT: Final = "fd5b8420a7d72c14aedb4146001d747c4e866a9ff45978b254dd9c4b9284400e"
HONG: Final = Person("홍길동", date(1968, 3, 2), "01012345678")
KIM: Final = Person("김순자", date(1967, 5, 14), "01087654321")

NINE: Final = plan(1)[0][2]
# At nine in Seoul: Hong's booking and Kim's cancelled one; and Kim, who holds a seat. Ids leave a gap.
_ROWS: Final = f"""
INSERT INTO centres VALUES ('seoul', 0, '서울 예방접종센터', 'Seoul Centre', '서울 12', '12 Seoul'),
    ('atlantis', 1, '아틀란티스', 'Atlantis', '바다', 'The sea');
INSERT INTO facts VALUES ('secret', X'{_FINGERPRINT}');
INSERT INTO slots VALUES (3, 'seoul', {NINE}, 5, 2), (7, 'atlantis', {NINE}, 1, 0);
INSERT INTO bookings VALUES
    ('AAAAAAAAAA', 'hold-a', 3, X'{_HONG[0]}', X'{_HONG[1]}', '홍*동', 1000, NULL,
     'pass-a', 'vaccine', 3, 200123, 199000, 'line', NULL, 7),
    ('BBBBBBBBBB', 'hold-b', 3, X'{_KIM[0]}', X'{_KIM[1]}', '김*자', 2000, 3000,
     'pass-b', 'vaccine', 3, NULL, NULL, 'exempt', 'clinic', 7);
INSERT INTO holds VALUES ('hold-c', 3, {NOW_MS + 60_000}, X'{_KIM[0]}', X'{_KIM[1]}', '김*자', 'pass-c', 9);
"""


def sqlite_script() -> str:
    return _TABLES + _ROWS


def postgresql_script() -> str:
    return (
        sqlite_script().replace("BLOB", "BYTEA").replace("X'", "'\\x").replace("slots (id INTEGER", "slots (id SERIAL")
    )
