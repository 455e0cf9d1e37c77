"""The toy language model: the same prompt, the same prose."""

import re
import time
from importlib.resources import files

import pytest

from kkjupyter.demo.model import ToyModel, breath, load, split

TEXT = files("kkjupyter.demo").joinpath("alice.txt").read_text(encoding="utf-8")
PROMPTS = [*(f"prompt {number}" for number in range(200)), "Hi", "", "What is time?", "rabbit", "≈"]


def answer(prompt: str, **options: int) -> str:
    return "".join(load().tokens(prompt, **options))


def test_split_loses_nothing() -> None:
    assert "".join(split(TEXT)) == TEXT
    assert "".join(split("a\n b\t“c” 12'3 \n")) == "a\n b\t“c” 12'3 \n"


def test_tokens_are_pieces_of_words_with_the_space_before_them() -> None:
    assert split('She was walking, "don\'t you know?"') == [
        *("She", " was", " walk", "ing", ",", ' "', "don", "'t", " you", " know", "?", '"')
    ]


def test_a_model_of_one_sentence_says_that_sentence() -> None:
    model = ToyModel("The cat sat down.")
    assert "".join(model.tokens("cat", max_tokens=3)) == "The cat sat down."


def test_the_same_prompt_gets_the_same_answer_and_another_prompt_another() -> None:
    assert answer("Who are you?") == answer("Who are you?")
    assert len({answer(prompt) for prompt in PROMPTS}) > 0.9 * len(PROMPTS)


@pytest.mark.parametrize(
    ("prompt", "word"),
    [
        ("Tell me about a cat", "cat"),
        ("Tell a story, please.", "story"),
        ("rabbits? The RABBIT!", "rabbit"),
        ("tea", "tea"),
    ],
)
def test_an_answer_begins_with_a_sentence_about_the_prompt(prompt: str, word: str) -> None:
    beginning = "".join(list(load().tokens(prompt))[:13])
    assert re.search(word, beginning, re.IGNORECASE)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_an_answer_is_well_formed(prompt: str) -> None:
    text = answer(prompt)
    assert text == text.strip()
    assert text[0] == '"' or text[0].isupper()
    assert re.search(r'[.!?]["\')]*$', text)
    assert text.count('"') % 2 == 0
    assert text.count("(") == text.count(")")
    assert not re.search(r" [,.;:!?)]|  ", text)
    assert set(re.findall(r"\w+", text)) & {"the", "a", "and", "to", "it", "said"}


def test_an_answer_is_new_text_made_of_known_pieces() -> None:
    texts = [answer(prompt) for prompt in PROMPTS]
    assert sum(text in TEXT for text in texts) == 0


@pytest.mark.parametrize("max_tokens", [1, 10, 40, 120])
def test_the_length_of_an_answer_is_bounded(max_tokens: int) -> None:
    for prompt in PROMPTS[:50]:
        assert len(list(load().tokens(prompt, max_tokens=max_tokens))) <= max_tokens + 151 + 12


def test_an_answer_that_finds_no_end_trails_off_with_its_quotation_closed() -> None:
    endless = ToyModel('"' + "cats eat bats and " * 1000)
    text = "".join(endless.tokens("x", max_tokens=1))
    assert text.endswith('..."')


def test_sentences_end_with_a_longer_breath() -> None:
    assert breath(".") > breath(",") > max(breath(word) for word in split(" a cat caterpillar"))
    assert breath("\n\n") == breath("!")


def test_the_model_is_made_quickly() -> None:
    fastest_s = min(_seconds_to_build() for _ in range(3))
    assert fastest_s < 0.5  # 0.03 s on the machine this was written on


def _seconds_to_build() -> float:
    started_s = time.perf_counter()
    ToyModel(TEXT)
    return time.perf_counter() - started_s
