import json
from pathlib import Path

from pydantic import SecretStr

from quotad.stack.datadir import DataDirectory
from quotad.stack.ports import assign_ports, free_listen
from quotad.stack.services import Site, assign_metrics
from quotad.stack.settings import StackSettings
from quotad.stack.stackjson import load_secrets, write_content


def site(directory: DataDirectory, settings: StackSettings) -> Site:
    ports = assign_ports(9000, 1)
    metrics = assign_metrics(ports, [free_listen(), free_listen()])
    return Site(directory, "postgresql://u:p@h/d", load_secrets(directory, settings), ports, metrics)


def test_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    first = site(directory, StackSettings())
    write_content(directory.stack_file, first.content())
    again = load_secrets(directory, StackSettings())
    assert (again.data_token, again.admin_token) == (first.secrets.data_token, first.secrets.admin_token)
    assert again.postgres_password == first.secrets.postgres_password
    assert not first.secrets.knows_postgres_password
    assert again.knows_postgres_password


def test_tokens_of_the_environment_win(tmp_path: Path) -> None:
    given = StackSettings(bootstrap_admin_token=SecretStr("from-the-environment"))
    assert load_secrets(DataDirectory(tmp_path), given).admin_token == "from-the-environment"


def test_secrets_do_not_show_in_a_representation(tmp_path: Path) -> None:
    secrets = load_secrets(DataDirectory(tmp_path), StackSettings())
    assert secrets.admin_token not in repr(secrets)


def test_the_ready_file_says_where_everything_is(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    content = site(directory, StackSettings()).content()
    write_content(tmp_path / "ready.json", content)
    assert json.loads((tmp_path / "ready.json").read_text()) == content
    assert content["proxies"] == ["http://127.0.0.1:9004"]
    assert content["dashboard"] == "http://127.0.0.1:9003"
    assert content["quotad"] == "127.0.0.1:9000"
