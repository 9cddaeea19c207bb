"""What is answered: the bodies of the API's responses, for its description and its checks."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class ErrorBody(BaseModel):
    """Every error: one line, and its name in `yinshi.errors` where it has one there."""

    detail: str = Field(examples=["form '六律': expected 五绝, 七绝, 五律, 七律, …"])
    error: str = Field(examples=["UsageError"])


class Poem(BaseModel):
    """A `WrittenPoem`: `seed` writes it again, with the same wishes and model."""

    text: str = Field(examples=["月出天山上，雲歸海樹間。…"])
    lines: list[str] = Field(description="The sentences, with their punctuation.")
    form: str = Field(examples=["五绝"])
    prefix: str
    seed: int
    nats_per_character: float
    known_span: str | None = Field(
        description='The longest run of five characters or more in the training poems; "": none.'
    )
    title: str | None
    style: str | None


class Poems(BaseModel):
    """In the order of their seeds."""

    model: str = Field(examples=["poet"])
    poems: list[Poem]


class Fault(BaseModel):
    """Something to say of one place of a poem; `line` and `position` count from 1."""

    name: str = Field(examples=["孤平"])
    line: int
    position: int
    character: str
    reason: str
    severity: Literal["fault", "minor", "note"]


class Line(BaseModel):
    """A line without punctuation, the tones of each character, and what the line follows."""

    text: str = Field(examples=["白日依山盡"])
    tones: list[str] = Field(examples=[["入", "入", "平", "平", "上"]])
    pattern: str = Field(examples=["中仄平平仄"])
    rhyme: str | None
    rhymes: list[str] = Field(examples=[["陌", "質", "微", "刪", "軫"]])


class Clean(BaseModel):
    """Whether a poem is without fault, in strict tones and in loose ones."""

    strict: bool
    loose: bool


class Scan(BaseModel):
    """A `yinshi.Scan`: docs/prosody.md has its rules."""

    form: str = Field(examples=["五绝"])
    lines: list[Line]
    pattern: str | None = Field(examples=["仄起首句不入韻"])
    rhyme: str | None = Field(examples=["尤"])
    faults: list[Fault]
    clean: Clean


class Alternative(BaseModel):
    """A token that might have stood there; ⏎ is the poem's end."""

    character: str
    probability: float


class Character(BaseModel):
    """One token: −log p in nats, p, its rank from 1 by likelihood, and five alternatives."""

    character: str = Field(examples=["床"])
    nats: float
    probability: float
    rank: int
    alternatives: list[Alternative]


class Gates(BaseModel):
    """The first layer of an LSTM, after each token: means of its gates, and `units` one by one."""

    input: list[float]
    forget: list[float]
    output: list[float]
    units: list[int]
    cell: list[list[float]] = Field(description="tanh of the cell, (tokens, units)")
    input_units: list[list[float]]
    forget_units: list[list[float]]
    output_units: list[list[float]]


class Score(BaseModel):
    """How likely a model finds a text, token by token."""

    model: str
    text: str = Field(description="As it was read, in the model's script.")
    perplexity: float
    nats_per_character: float
    characters: list[Character]
    gates: Gates | None = Field(None, description="Only if it is asked for.")


class Model(BaseModel):
    """A model that is served."""

    name: str = Field(examples=["poet"])
    is_default: bool
    script: str
    vocabulary_size: int
    parameters: int
    conditions: list[str] = Field(description="What it can be told before a poem.")
    styles: list[str] = Field(description="Authors that it knows, the 300 with most poems.")
    dynasties: list[str]
    hash: str = Field(description="SHA-256 of its file.")


class LimitsBody(BaseModel):
    """Beyond these a request is too large (413)."""

    count: int
    max_length: int
    text: int
    candidates: int
    characters: int = Field(description="Of a request: count × candidates × length of a poem.")


class Models(BaseModel):
    """What there is to choose from."""

    models: list[Model]
    forms: list[str]
    rhymes: list[str]
    tones: list[str]
    limits: LimitsBody


class Health(BaseModel):
    """ok, or stopping."""

    status: Literal["ok", "stopping", "failed"]
