"""Each convention by hand: the worked example of docs/perplexity.md, all powers of two.

poem 1   月    ，    日    <eos>       poem 2   山 (unknown)   <eos>
p        1/4   1/2   1/16  1/2                  1/64           1/16
bits     2     1     4     1  = 8               6              4  = 10
"""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest

from yinshi.corpus.poem import Poem, laid_out
from yinshi.corpus.vocabulary import EOS, UNK, Vocabulary
from yinshi.evaluation.perplexity import TokenNats, character_ids

VOCABULARY = Vocabulary("月日，")
MOON, SUN, COMMA = VOCABULARY.encode("月日，")
BITS = [np.array([2, 1, 4, 1]), np.array([6, 4])]
TARGETS = [np.array([MOON, COMMA, SUN, EOS]), np.array([UNK, EOS])]


@pytest.fixture
def example() -> TokenNats:
    return TokenNats.join([bits * log(2) for bits in BITS], TARGETS)


def test_perplexity_is_per_token_and_counts_punctuation_and_eos(example: TokenNats) -> None:
    assert example.perplexity == pytest.approx(8)  # 2^((8 + 10) / 6)


def test_per_character_leaves_out_punctuation_and_eos_but_keeps_unk(example: TokenNats) -> None:
    assert example.per_character(character_ids(VOCABULARY)) == pytest.approx(16)  # 2^((2+4+6)/3)


def test_padded_counts_pads_as_tokens_at_no_cost(example: TokenNats) -> None:
    assert example.padded_to(9) == pytest.approx(2)  # 2^(18 / (2·9))


def test_padded_cuts_what_is_longer(example: TokenNats) -> None:
    assert example.padded_to(3) == pytest.approx(2 ** (17 / 6))  # (2+1+4) + (6+4) of 2·3
    assert example.padded_to(1) == pytest.approx(2**4)  # 2 + 6 of 2·1


def test_mean_of_poems_weighs_poems_alike(example: TokenNats) -> None:
    assert example.mean_of_poems == pytest.approx(18)  # (2^(8/4) + 2^(10/2)) / 2 = (4 + 32) / 2


def test_base2_of_nats_is_the_wrong_base(example: TokenNats) -> None:
    assert example.base2_of_nats == pytest.approx(2 ** (3 * log(2)))  # 4.23 where 8 was meant
    assert example.base2_of_nats == pytest.approx(exp(3 * log(2) ** 2))


def test_conventions_put_the_figure_first(example: TokenNats) -> None:
    values = example.conventions(character_ids(VOCABULARY), pad_to=9)
    assert list(values) == [
        "per_token",
        "per_character",
        "padded_to_9",
        "mean_of_poems",
        "base2_of_nats",
    ]
    assert list(values.values()) == pytest.approx([8, 16, 2, 18, 2 ** (3 * log(2))])


def test_of_a_titled_poem_title_and_newline_count_too() -> None:
    """山 ⏎ 日 。 <eos>: 6 + 2 + 4 + 1 + 2 bits of 5 tokens."""
    vocabulary = Vocabulary("\n山日。")
    text = laid_out(Poem("山", "", "日。", ""), "titled")
    targets = np.append(vocabulary.encode(text), EOS)
    titled = TokenNats.join([np.array([6, 2, 4, 1, 2]) * log(2)], [targets])
    is_character = character_ids(vocabulary)
    assert titled.perplexity == pytest.approx(8)  # 2^(15 / 5)
    assert titled.conventions(is_character, 80)["per_token"] == titled.perplexity
    assert titled.per_character(is_character) == pytest.approx(32)  # 2^((6 + 4) / 2)


def test_a_uniform_model_scores_the_number_of_outcomes() -> None:
    """The one model under which per token, per character and mean of poems agree."""
    uniform = TokenNats.join([np.full(len(t), log(50)) for t in TARGETS], TARGETS)
    assert uniform.perplexity == pytest.approx(50)
    assert uniform.per_character(character_ids(VOCABULARY)) == pytest.approx(50)
    assert uniform.mean_of_poems == pytest.approx(50)
    assert uniform.padded_to(1) == pytest.approx(50)


def test_padding_further_only_lowers_the_padded_figure(example: TokenNats) -> None:
    figures = [example.padded_to(length) for length in range(4, 200)]
    assert figures == sorted(figures, reverse=True)
    assert figures[-1] == pytest.approx(1, abs=0.04)


def test_the_sum_over_poems_is_not_a_mean_of_batch_means(example: TokenNats) -> None:
    """Negative control: batches of one poem each would give 2^((2 + 5) / 2) = 11.3, not 8."""
    of_batches = np.mean([bits.mean() for bits in BITS]) * log(2)
    assert exp(of_batches) == pytest.approx(2**3.5)
    assert example.perplexity != pytest.approx(exp(of_batches))


def test_sums_are_kept_in_float64() -> None:
    """In float32 a sum of 0.1s over a million tokens drifts at the third digit."""
    nats = np.full(1_000_000, 0.1, dtype=np.float32)
    joined = TokenNats.join([nats], [np.full(len(nats), MOON)])
    assert joined.perplexity == pytest.approx(exp(np.float32(0.1)), rel=1e-12)


def test_no_characters_have_no_perplexity() -> None:
    only_end = TokenNats.join([np.array([1.0])], [np.array([EOS])])
    assert np.isnan(only_end.per_character(character_ids(VOCABULARY)))


def test_a_diverged_model_is_infinitely_perplexed() -> None:
    assert TokenNats.join([np.array([1e4])], [np.array([EOS])]).perplexity == np.inf


def test_character_ids_are_the_characters_and_unk() -> None:
    """In the vocabulary: letters, 〇, a private-use and an extension-B character; and marks."""
    characters = "月〇\ue000𠀀，。？□《 \n"
    is_character = character_ids(Vocabulary(characters))
    assert is_character.tolist() == [False, False, False, True] + [True] * 4 + [False] * 7
