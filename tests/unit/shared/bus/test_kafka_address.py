import pytest

from shared.bus.kafka_address import parsed
from shared.errors import Invalid


def test_hosts_get_kafkas_port_and_the_name_is_a_prefix() -> None:
    address = parsed("kafka://one,two:1234/hospital")
    assert (address.servers, address.prefix) == (["one:9092", "two:1234"], "hospital.")
    assert parsed("kafka://one").prefix == ""


def test_who_signs_in_does_so_encrypted() -> None:
    client = parsed("kafkas://us%40er:p%2Fss@one?mechanism=PLAIN").client
    assert client["bootstrap_servers"] == ["one:9093"]
    assert client["security_protocol"] == "SASL_SSL"
    assert (client["sasl_mechanism"], client["sasl_plain_username"], client["sasl_plain_password"]) == (
        "PLAIN", "us@er", "p/ss",
    )  # fmt: skip
    assert parsed("kafkas://one").client["security_protocol"] == "SSL"


@pytest.mark.parametrize(
    "url",
    [
        "http://a:1", "kafka://", "kafka://a:1,", "kafka://secret:secret@a:1", "kafka://a/b/c", "kafka://a?port=1",
        "kafkas://secret:secret@a?mechanism=GSSAPI", "kafkas://secret:secret@a?ca=/missing", "kafka://a#b",
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_invalid_and_not_repeated(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        parsed(url)
    assert "secret" not in str(refused.value)


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(parsed("kafkas://secret:secret@a"))
