import stat
from pathlib import Path

import pytest

from shared import settings
from shared.engine import opened
from shared.errors import Invalid
from shared.settings import Settings, table
from tests.support.embedded import embedded


def test_a_flag_comes_before_the_environment_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings().port == 8420
    (tmp_path / "mitagger.toml").write_text("port = 1111\nhost = '::1'\n")
    assert (Settings().port, Settings().host) == (1111, "::1")
    monkeypatch.setenv("MITAGGER_PORT", "2222")
    assert Settings().port == 2222
    assert Settings(port=3333).port == 3333


def test_it_listens_on_loopback_unless_told() -> None:
    assert Settings().host == "127.0.0.1"


def test_the_key_is_generated_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    key = Settings(data=tmp_path).signing_key()
    assert len(key) >= 32
    assert Settings(data=tmp_path).signing_key() == key
    assert Settings(data=tmp_path / "other").signing_key() != key
    assert stat.S_IMODE((tmp_path / "signing.key").stat().st_mode) == 0o600


def test_a_short_key_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="32"):
        Settings(data=tmp_path, key="short").signing_key()  # type: ignore[arg-type]


def test_a_key_does_not_show(tmp_path: Path) -> None:
    assert "s3cret" not in repr(Settings(data=tmp_path, key="s3cret" * 10))  # type: ignore[arg-type]


def test_the_documented_table_is_what_the_code_says() -> None:
    documented = (Path(__file__).parents[3] / "docs" / "settings.md").read_text(encoding="utf-8")
    assert table() in documented, "The settings changed: run python -m tools.settings"


async def test_the_data_folder_is_its_owners_only(tmp_path: Path) -> None:
    async with embedded(tmp_path):
        assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


async def test_a_second_server_on_the_folder_is_refused(tmp_path: Path) -> None:
    async with embedded(tmp_path):
        with pytest.raises(Invalid, match="Another MITagger serves"):
            async with embedded(tmp_path):
                pass
    async with embedded(tmp_path):
        pass


@pytest.mark.parametrize(
    ("engines", "refusal"),
    [
        ({"bus": "kafka://127.0.0.1:9"}, Invalid),
        ({"documents": "mongodb://127.0.0.1:9"}, Invalid),
        ({"search": "meilisearch://127.0.0.1:9"}, Invalid),
        ({"bus": "kafka://127.0.0.1:9", "documents": "mongodb://127.0.0.1:9"}, Invalid),  # without a common key
    ],
)
async def test_engines_that_do_not_fit_together_are_refused(
    tmp_path: Path, engines: dict[str, str], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        async with opened(Settings(data=tmp_path, **engines), ()):  # type: ignore[arg-type]
            pass


def test_a_key_may_come_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("k" * 40 + "\n")
    assert Settings(data=tmp_path, key_file=tmp_path / "secret").signing_key() == b"k" * 40
    with pytest.raises(Invalid, match="cannot be read"):
        Settings(data=tmp_path, key_file=tmp_path / "nowhere").signing_key()


def test_a_file_among_the_secrets_is_a_setting_below_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "SECRETS", tmp_path)
    (tmp_path / "mitagger_key").write_text("k" * 40 + "\n")
    (tmp_path / "mitagger_documents").write_text("mongodb://user:password@mongo/mitagger\n")
    (tmp_path / "of_another_program").write_text("x")
    assert Settings().signing_key() == b"k" * 40
    assert Settings().documents == "mongodb://user:password@mongo/mitagger"
    monkeypatch.setenv("MITAGGER_DOCUMENTS", "embedded")
    assert Settings().documents == "embedded"
