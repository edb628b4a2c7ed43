"""The columns that SQL's CREATE TABLE states, in the dialects of PostgreSQL, MySQL and SQLite.

A parser for columns, types, nulls, defaults and comments; it knows no queries. What could bear on columns and is not
understood is told.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import dropwhile, takewhile

from mortis.problems import InputProblem, listed, printable
from mortis.sources.changes.columns import ANY, Column, Families, Schema
from mortis.sources.changes.reading import word_set

_STANDARD, _BACKSLASH = r"'(?:[^']|'')*(?:'|\Z)", r"'(?:[^'\\]|''|\\.)*(?:'|\Z)"
_TOKENS = r"""
    (?P<skipped>\s+|--[^\n]*|\#(?=\s)[^\n]*|/\*.*?(?:\*/|\Z))
    |(?P<text>[eE]{escaped}|[bBnNxX]?{plain}|\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z))
    |(?P<array>\[\d*\])
    |(?P<quoted>"(?:[^"]|"")*(?:"|\Z)|`(?:[^`]|``)*(?:`|\Z)|\[[^\]]*(?:\]|\Z))
    |(?P<word>[^\W\d][\w$]*)
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<sign>::|.)
"""
_COPIED = re.compile(r"^COPY [^;]*FROM stdin;.*?^\\\.$", re.MULTILINE | re.DOTALL | re.IGNORECASE)
_MYSQL = re.compile(r"`|\bENGINE\s*=", re.IGNORECASE)

# A word that ends a column's type or default and begins its next property.
_PROPERTIES = word_set("""
    not null default primary unique references check collate generated as comment auto_increment autoincrement
    constraint on key charset stored virtual storage compression invisible visible identity deferrable initially
    encode column_format""")
_OF_TABLE = word_set("constraint primary unique foreign check exclude key index fulltext spatial like period")
_HARMLESS = re.compile(
    r"set|select|begin|commit|start|use|drop|lock|unlock|insert|grant|revoke|pragma|analyze|vacuum|delimiter"
    r"|comment on (table|schema|database|extension|index|constraint|sequence|type|function)"
    r"|create (or replace )?(unique )?(index|database|schema|extension|sequence|function|procedure|trigger|role|user)"
    r"|alter (sequence|database|schema|function|type|index|default|extension)"
)
_ALTER_HARMLESS = re.compile(
    r"(owner|enable|disable|validate|attach|cluster|replica|engine|set|auto_increment)\b|add (constraint|primary|unique"
    r"|foreign|check|index|key)\b"
)

_NAMES: Mapping[str, str] = {
    name: canonical
    for canonical, names in {
        "smallint": "int2 smallserial serial2",
        "integer": "int int4 serial serial4 mediumint",
        "bigint": "int8 bigserial serial8",
        "boolean": "bool",
        "real": "float4",
        "double": "float8 double_precision float",
        "decimal": "numeric dec fixed",
        "varchar": "character_varying char_varying varchar2 nvarchar",
        "char": "character bpchar nchar",
        "text": "tinytext mediumtext longtext clob",
        "binary": "bytea blob tinyblob mediumblob longblob varbinary",
        "timestamp": "timestamp_without_time_zone datetime datetime2",
        "timestamptz": "timestamp_with_time_zone",
        "time": "time_without_time_zone",
        "timetz": "time_with_time_zone",
        "json": "jsonb",
    }.items()
    for name in names.split()
}
_FAMILIES: Mapping[str, Families] = {
    name: frozenset({family})
    for family, names in {
        "whole number": "tinyint smallint integer bigint year",
        "number": "real double",
        "decimal": "decimal money",
        "text": "varchar char text enum set citext",
        "truth": "boolean bit",
        "timestamp": "timestamp timestamptz",
        "date": "date",
        "time": "time timetz",
        "binary": "binary",
        "uuid": "uuid",
    }.items()
    for name in names.split()
} | {"json": frozenset({"mapping", "list", "text"})}
_NUMERIC = frozenset({"whole number", "number", "decimal"})
_WIDTHLESS = word_set("tinyint smallint integer bigint real double")


@dataclass(frozen=True, slots=True)
class _Token:
    """A piece of SQL: its kind, and its text with a word in lower case and quotes taken off."""

    kind: str
    text: str

    def is_(self, *words: str) -> bool:
        return self.kind in ("word", "sign") and self.text in words


@dataclass(slots=True)
class _Script:
    """What a script has stated so far."""

    tables: dict[str, list[Column]] = field(default_factory=dict)
    enums: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unread: Counter[str] = field(default_factory=Counter)


def ddl_schemas(text: str, where: str, tell: Callable[[str], None]) -> tuple[Schema, ...]:
    """The tables that a script creates, in its order. Raises InputProblem where it creates none.

    >>> sql = "CREATE TABLE t (id bigint NOT NULL, dist double precision DEFAULT 0)"
    >>> [(one.name, one.type, one.nulls, one.default) for one in ddl_schemas(sql, "t.sql", print)[0].columns]
    [('id', 'bigint', False, None), ('dist', 'double', True, '0')]
    """
    script = _Script()
    for statement in _statements(_tokens(text)):
        _read_statement(statement, script)
    unread = listed(f"{n} × {what}" for what, n in script.unread.items())
    if not script.tables:
        left_out = f" ({unread})" if unread else ""
        raise InputProblem(
            f"{where} creates no table that can be read{left_out}; hand over CREATE TABLE with its columns"
        )
    if unread:
        tell(f"not understood and left out: {unread}")
    return tuple(
        Schema("SQL", tuple(_with_enum(one, script) for one in columns), name)
        for name, columns in script.tables.items()
    )


def _tokens(text: str) -> Iterator[_Token]:
    plain = _BACKSLASH if _MYSQL.search(text) else _STANDARD
    pattern = re.compile(_TOKENS.format(plain=plain, escaped=_BACKSLASH), re.VERBOSE | re.DOTALL)
    for found in pattern.finditer(_COPIED.sub("", text)):
        kind, piece = str(found.lastgroup), found[0]
        if kind == "skipped":
            continue
        if kind == "word":
            piece = piece.lower()
        elif kind == "quoted":
            piece = piece[1:-1].replace(piece[0] * 2, piece[0])
        yield _Token(kind, piece)


def _statements(tokens: Iterator[_Token]) -> Iterator[list[_Token]]:
    statement: list[_Token] = []
    for token in tokens:
        if token.is_(";"):
            yield statement
            statement = []
        else:
            statement.append(token)
    yield statement


def _read_statement(tokens: Sequence[_Token], script: _Script) -> None:
    head = " ".join(token.text for token in tokens[:8] if token.kind == "word")
    if re.match(r"create (or replace )?((global|local) )?(temp |temporary |unlogged |external )?table\b", head):
        if not _create_table(tokens, script):
            script.unread["CREATE TABLE without columns of its own"] += 1
    elif head.startswith("create type") and any(token.is_("enum") for token in tokens):
        values = tuple(_unquoted(token.text) for token in tokens if token.kind == "text")
        script.enums[_last_name(takewhile(lambda token: not token.is_("as"), tokens))] = values
    elif head.startswith("comment on column"):
        _comment(tokens, script)
    elif head.startswith("alter table"):
        _alter_table(tokens, script)
    elif tokens and not _HARMLESS.match(head):
        script.unread[" ".join(head.split()[:2]).upper() or "something that is no statement"] += 1


def _last_name(tokens: Iterator[_Token] | Sequence[_Token]) -> str:
    """The last name of a dotted one: a schema's name before it is dropped."""
    names = [token.text for token in tokens if token.kind in ("word", "quoted")]
    return names[-1] if names else ""


def _create_table(tokens: Sequence[_Token], script: _Script) -> bool:
    """Put the table's columns into the script, or that it is cut short; False where the statement lists none."""
    begin = next((i for i, token in enumerate(tokens) if token.is_("(")), None)
    if begin is None or any(token.is_("as", "of") for token in tokens[:begin]):
        return False
    table = _last_name(tokens[:begin])
    elements, end = _split(tokens, begin)
    if end == len(tokens):
        script.unread[f"CREATE TABLE {printable(table)}, whose bracket is never closed"] += 1
        return True
    columns: list[Column] = []
    keys: set[str] = set()
    for element in elements:
        if element and element[0].kind == "word" and element[0].text in _OF_TABLE:
            keys |= _primary(element)
            if element[0].is_("like"):
                script.unread["LIKE of another table"] += 1
        elif element:
            columns.append(_column(element))
    script.tables[table] = [replace(one, nulls=False) if one.name in keys else one for one in columns]
    return bool(columns)


def _split(tokens: Sequence[_Token], begin: int) -> tuple[list[list[_Token]], int]:
    """What stands between the bracket at `begin` and its end, parted by commas, and where it ends."""
    parts: list[list[_Token]] = [[]]
    depth = 0
    for i in range(begin, len(tokens)):
        token = tokens[i]
        depth += token.is_("(") - token.is_(")")
        if depth == 0:
            return parts, i
        if token.is_(",") and depth == 1:
            parts.append([])
        elif i > begin:
            parts[-1].append(token)
    return parts, len(tokens)


def _primary(element: Sequence[_Token]) -> set[str]:
    """The columns of a table's primary key, which are never null."""
    words = [token.text for token in element]
    if "primary" not in words[:3] or not any(token.is_("(") for token in element):
        return set()
    parts, _ = _split(element, next(i for i, token in enumerate(element) if token.is_("(")))
    return {part[0].text for part in parts if part}


def _column(element: Sequence[_Token]) -> Column:
    """The column in a table's element: its name, its type up to the first property, then its properties."""
    name, i = element[0].text, 1
    while i < len(element) and not _is_property(element, i):
        i = _split(element, i)[1] + 1 if element[i].is_("(") else i + 1
    type_, values = _type(element[1:i])
    column = Column(name, type_, _families(type_), nulls=True, values=values)
    while i < len(element):
        i, column = _with_property(element, i, column)
    return replace(column, default=_as_number(column.default)) if column.families & _NUMERIC else column


def _as_number(default: str | None) -> str | None:
    """A number's default in one way of writing: MySQL puts it into quotes, and 0.0 is 0.

    >>> _as_number("'0.50'"), _as_number("now()")
    ('0.5', 'now()')
    """
    try:
        return f"{float((default or '').strip(chr(39))):.15g}"
    except ValueError:
        return default


def _is_property(element: Sequence[_Token], i: int) -> bool:
    token = element[i]
    if token.is_("character") and i + 1 < len(element) and element[i + 1].is_("set"):
        return True
    return token.kind == "word" and token.text in _PROPERTIES


def _type(tokens: Sequence[_Token]) -> tuple[str, tuple[str, ...] | None]:
    """A type under one name in every dialect, with its size, and the values of an enumeration."""
    begin = next((i for i, token in enumerate(tokens) if token.is_("(")), len(tokens))
    parts, end = _split(tokens, begin) if begin < len(tokens) else ([], begin)
    outside = [*tokens[:begin], *tokens[end + 1 :]]
    words = [
        token.text for token in outside if token.kind in ("word", "quoted") and not token.is_("zerofill", "signed")
    ]
    unsigned = "unsigned" in words
    words = [word for word in words if word != "unsigned"]
    if len(words) > 1 and tokens[1:2] and tokens[1].is_("."):
        words = words[1:]  # the schema that a type of one's own lies in
    name = _NAMES.get("_".join(words), "_".join(words))
    if name in ("enum", "set"):
        return name, tuple(_unquoted(token.text) for part in parts for token in part if token.kind == "text")
    size = ", ".join("".join(token.text for token in part) for part in parts)
    if name == "tinyint" and size == "1":
        name, size = "boolean", ""
    size = "" if name in _WIDTHLESS else size
    arrays = "[]" * sum(token.kind == "array" for token in outside)
    return f"{name.replace('_', ' ')}{f'({size})' if size else ''}{' unsigned' if unsigned else ''}{arrays}", None


def _families(type_: str) -> Families:
    if type_.endswith("[]"):
        return frozenset({"list"})
    return _FAMILIES.get(re.split(r"[ (]", type_)[0], ANY)


def _with_property(element: Sequence[_Token], i: int, column: Column) -> tuple[int, Column]:
    """The column with the property at a place of its element, and the place after it."""
    token, after = element[i], element[i + 1] if i + 1 < len(element) else _Token("end", "")
    end = i + 1
    if (token.is_("not") and after.is_("null")) or token.is_("primary"):
        end, column = i + 2, replace(column, nulls=False)
    elif token.is_("set"):
        end = i + 2  # ON DELETE SET NULL, CHARACTER SET utf8
    elif token.is_("default"):
        end = _end_of_expression(element, i + 1)
        column = replace(column, default=_written(element[i + 1 : end]))
    elif token.is_("comment") and after.kind == "text":
        end, column = i + 2, replace(column, about=_unquoted(after.text))
    elif token.is_("check") and after.is_("("):
        parts, last = _split(element, i + 1)
        end, column = last + 1, replace(column, values=_checked_values(parts, column.name) or column.values)
    elif token.is_("("):
        end = _split(element, i)[1] + 1
    return end, column


def _end_of_expression(element: Sequence[_Token], i: int) -> int:
    begin = i
    while i < len(element) and (i == begin or not _is_property(element, i)):
        i = _split(element, i)[1] + 1 if element[i].is_("(") else i + 1
    return i


def _written(tokens: Sequence[_Token]) -> str | None:
    """An expression as text, without the cast that PostgreSQL adds to it; None where it is NULL."""
    plain = list(tokens[: _cast_at(tokens)])
    if len(plain) == 1 and plain[0].is_("null"):
        return None
    shown = ""
    for one in plain:
        tight = one.is_("(", ")", ",", ".", "::") or shown.endswith(("(", ".", "-", "::")) or not shown
        shown += one.text if tight else f" {one.text}"
    return shown


def _cast_at(tokens: Sequence[_Token]) -> int:
    """The place of the first `::` outside brackets, or the end."""
    i = 0
    while i < len(tokens) and not tokens[i].is_("::"):
        i = _split(tokens, i)[1] + 1 if tokens[i].is_("(") else i + 1
    return i


def _checked_values(parts: Sequence[Sequence[_Token]], name: str) -> tuple[str, ...] | None:
    """The values of CHECK (name IN ('a', 'b')); None where the check is another one."""
    tokens = [token for part in parts for token in part]
    if len(tokens) < 4 or tokens[0].text != name or not tokens[1].is_("in"):
        return None
    values = [token for token in tokens[2:] if token.kind == "text"]
    return tuple(_unquoted(token.text) for token in values) or None


def _unquoted(text: str) -> str:
    """A text without its quotes.

    >>> _unquoted("'it''s'"), _unquoted("E'a'")
    ("it's", 'a')
    """
    if text.startswith("$"):
        return text.split("$", 2)[-1].rsplit("$", 2)[0]
    return text[text.find("'") + 1 : -1].replace("''", "'").replace("\\'", "'")


def _with_enum(column: Column, script: _Script) -> Column:
    """The column with its values where its type is an enumeration that the script creates."""
    values = script.enums.get(column.type)
    return column if values is None else replace(column, type="enum", values=values, families=frozenset({"text"}))


def _comment(tokens: Sequence[_Token], script: _Script) -> None:
    """COMMENT ON COLUMN schema.table.column IS 'text', as PostgreSQL writes it."""
    named = takewhile(lambda token: not token.is_("is"), tokens)
    *_, table, name = ("", *(token.text for token in named if token.kind in ("word", "quoted")))
    about = next((_unquoted(token.text) for token in tokens if token.kind == "text"), "")
    if table in script.tables:
        columns = script.tables[table]
        script.tables[table] = [replace(one, about=about) if one.name == name else one for one in columns]


def _alter_table(tokens: Sequence[_Token], script: _Script) -> None:
    """ALTER TABLE: a key makes its columns never null, a default is set; what else bears on columns is not read."""
    rest = [token for token in tokens[2:] if not token.is_("only", "if", "exists")]
    named = next((i for i in range(0, len(rest), 2) if not rest[i + 1 : i + 2] or not rest[i + 1].is_(".")), 0)
    table, action = _last_name(rest[: named + 1]), rest[named + 1 :]
    columns = script.tables.get(table, [])
    said = " ".join(token.text for token in action)
    if re.match(r"add (constraint \S+ )?primary key", said):
        keys = _primary(list(dropwhile(lambda token: not token.is_("primary"), action)))
        columns = [replace(one, nulls=False) if one.name in keys else one for one in columns]
    elif found := re.match(r"alter (?:column )?(\S+) set default ", said):
        default = _written(list(dropwhile(lambda token: not token.is_("default"), action))[1:])
        columns = [replace(one, default=default) if one.name == found[1] else one for one in columns]
    elif not _ALTER_HARMLESS.match(said):
        script.unread[f"ALTER TABLE ... {' '.join(said.split()[:2]).upper()}"] += 1
    if table in script.tables:
        script.tables[table] = columns
