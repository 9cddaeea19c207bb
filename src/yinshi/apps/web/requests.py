"""What is asked: the bodies of the API, by the names of the Python API."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from yinshi.apps.web import limits
from yinshi.writing.order import Asked

Name = Annotated[str, StringConstraints(max_length=100)]
#: The number of a line, from 1.
LineNumber = Annotated[str, StringConstraints(pattern="^[1-9][0-9]?$", max_length=2)]
Template = Annotated[str, StringConstraints(max_length=32)]
Position = Annotated[int, Field(ge=1, le=20)]
#: JavaScript's integers end here.
LARGEST_SEED = 2**53 - 1


class Body(BaseModel):
    """A JSON object; fields that it has not got are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class PoemsRequest(Body):
    """The arguments of `Poet.write`, all optional; {} is one poem that begins freely."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"prefix": "月", "count": 2, "seed": 7},
                {"form": "七律", "rhyme": "东", "seed": 12},
                {"form": "五绝", "acrostic": "春夏秋冬", "avoid": "愁"},
                {"form": "五绝", "lines": {"3": "____春"}, "tones": "loose"},
                {"keep": "白日依山盡，黃河□□□。欲窮千里目，更上一層樓。"},
            ]
        }
    )

    prefix: Annotated[str, Field(max_length=limits.MAX_LENGTH)] = Field(
        "", description="How it begins, in either script."
    )
    count: int = Field(1, ge=1, le=limits.COUNT, description="Poems, with the seeds seed, seed+1…")
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)] | None = Field(
        None, description="To write the same poems again; else one at random, which comes back."
    )
    temperature: Annotated[float, Field(ge=0.01, le=10)] | None = Field(
        None, description="Below 1 safer, above bolder; by itself 0.8."
    )
    top_k: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="Draw only from the likeliest so many characters."
    )
    top_p: Annotated[float, Field(ge=0.001, le=1)] | None = Field(
        None, description="Draw only from the likeliest that sum to this."
    )
    script: Literal["traditional", "simplified"] | None = Field(
        None, description="Of the poems; the model's own by itself."
    )
    max_length: int = Field(
        64, ge=1, le=limits.MAX_LENGTH, description="Characters, punctuation included."
    )
    title: Name | None = Field(None, description="For a model that reads titles.")
    style: Name | None = Field(None, description="An author that the model knows.")
    dynasty: Name | None = Field(None, description="唐 or 宋, for a model that knows them.")
    form: Name | None = Field(None, description="五绝, 七绝, 五律, 七律, 排律:N, 七排:N or free.")
    rhyme: Name | None = Field(None, description="One of the 106 (东), auto or off.")
    tones: Literal["strict", "loose", "off"] | None = Field(None, description="平仄")
    acrostic: Annotated[str, Field(max_length=40)] = Field(
        "", description="A character for each line, _ for any."
    )
    acrostic_at: Literal["head", "end"] | Position = Field(
        "head", description="Where in the line it stands; positions count from 1."
    )
    lines: Annotated[dict[LineNumber, Template], Field(max_length=40)] = Field(
        default_factory=dict, description="Number of a line → its characters, _ for any."
    )
    keep: Annotated[str, Field(max_length=240)] = Field(
        "", description="A whole poem, with □ for each character to be written."
    )
    avoid: Annotated[str, Field(max_length=500)] = Field(
        "", description="Characters that stand nowhere."
    )
    no_repeat: bool = Field(False, description="No character stands twice.")
    candidates: Annotated[int, Field(ge=1, le=limits.CANDIDATES)] | None = Field(
        None, description="Drafts to choose a poem with wishes from; by itself 64."
    )
    allow_quotes: bool = Field(False, description="Lines of the training poems are welcome.")
    model: Name | None = Field(None, description="A name that /api/models tells.")

    @property
    def asked(self) -> Asked:
        """The keyword arguments of `Poet.begin`, without its seed."""
        names = Asked.__optional_keys__
        lines = {int(number): text for number, text in self.lines.items()}
        return cast(Asked, self.model_dump(include=set(names)) | {"lines": lines})


class ScanRequest(Body):
    """The argument of `yinshi.scan`."""

    text: Annotated[str, Field(max_length=limits.TEXT)] = Field(
        examples=["白日依山盡，黃河入海流。欲窮千里目，更上一層樓。"]
    )


class ScoreRequest(Body):
    """The arguments of `Poet.read`."""

    text: Annotated[str, Field(max_length=limits.TEXT)] = Field(
        examples=["床前明月光，疑是地上霜。舉頭望山月，低頭思故鄉。"]
    )
    title: Name | None = None
    style: Name | None = None
    dynasty: Name | None = None
    form: Name | None = None
    gates: bool = Field(False, description="Tell what the gates and the cell of the LSTM did, too.")
    model: Name | None = None
