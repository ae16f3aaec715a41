"""Opens stores: a repository's remotes and local cache, and any folder with the layout of one."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dvc.config import ConfigError as DvcConfigError
from dvc.exceptions import DvcException
from dvc.fs import LocalFileSystem
from dvc.repo import Repo
from dvc_data.hashfile.db import get_odb

from gogooku3.errors import ConfigError, DataError, StoreError, UserError
from gogooku3.recovery.storage.failures import machine_errors, store_error
from gogooku3.recovery.storage.project import open_project
from gogooku3.recovery.storage.settings import committed_endpoint, without_password
from gogooku3.recovery.storage.store import Store


def open_remote(root: Path, remote: str | None = None) -> Store:
    """Opens a remote of the repository in `root`, by default the default remote, and checks that it is reachable.

    Raises `StoreError` if no remote is configured or it cannot be reached.
    """
    name = "the default remote" if remote is None else remote
    with _repo(root) as repo:
        try:
            _require_credentials(repo, remote)
            _require_own_endpoint(root, repo, remote)
            config = repo.cloud.get_remote(remote)
            name = without_password(str(config.fs.unstrip_protocol(config.path)))
            folder = Path(config.path) if config.fs.protocol == "local" else None
            store = Store(repo.cloud.get_remote_odb(remote), name, folder)
            store.connect()
        except UserError:
            raise
        except DvcConfigError as error:
            raise StoreError(
                f"no remote to use in `{root}`: {str(error).splitlines()[0]}",
                hint="run `dvc remote add -d store gs://BUCKET/PATH`",
            ) from error
        except Exception as error:  # the client's own exception types; it also reads the credentials
            raise store_error(name, error) from error
    return store


def remotes(root: Path) -> list[str]:
    """Names of the remotes of the repository in `root`, the default one first."""
    with _repo(root) as repo:
        default = repo.config["core"].get("remote")
        return sorted(repo.config["remote"], key=lambda name: (name != default, name))


def open_cache(root: Path) -> Store:
    """The local cache of the repository in `root`; it may be empty, or not exist yet.

    Raises `StoreError` if it is a link to a folder that does not exist, as with a disk that is not mounted.
    """
    with _repo(root) as repo:
        folder = Path(repo.cache.local.path)
        dangling = next((each for each in (folder, *folder.parents) if each.is_symlink() and not each.exists()), None)
        if dangling is not None:
            raise StoreError(
                f"the local cache `{folder}` cannot be used: `{dangling}` is a link to `{dangling.readlink()}`, which"
                " does not exist",
                hint=f"mount its disk; if it is lost, `rm {shlex.quote(str(dangling))}`, and DVC makes an empty cache",
            )
        return Store(repo.cache.local, str(folder))


def run_cache_folder(root: Path) -> Path:
    """The folder of the repository's run cache; it may not exist."""
    with _repo(root) as repo:
        return Path(repo.stage_cache.cache_dir)


def open_folder(folder: Path, name: str | None = None) -> Store:
    """Opens a folder with the layout of a local cache or a remote; messages use `name` for it."""
    odb = get_odb(LocalFileSystem(), str(folder / "files" / "md5"), hash_name="md5")  # type: ignore[no-untyped-call]
    return Store(odb, name or str(folder))


def _require_credentials(repo: Repo, remote: str | None) -> None:
    """Requires the key file to exist: the client would take a missing path for a token, and send it."""
    name = remote or repo.config["core"].get("remote")
    file = repo.config["remote"].get(name, {}).get("credentialpath")
    if file and not Path(file).is_file():
        raise StoreError(
            f"the credentials of remote `{name}`, `{file}`, do not exist",
            hint=f"`dvc remote modify --local {name} credentialpath FILE`",
        )


def _require_own_endpoint(root: Path, repo: Repo, remote: str | None) -> None:
    """Refuses to send the user's credentials to an address that the repository alone names."""
    name = remote or repo.config["core"].get("remote")
    settings = repo.config["remote"].get(name, {})
    address = None if settings.get("allow_anonymous_login") else committed_endpoint(root, name)
    if address is not None:
        raise ConfigError(
            f"the committed `.dvc/config` sends requests of remote `{name}` to `{without_password(address)}`, and your"
            " credentials with them",
            hint=f"if you trust that address, confirm it: `dvc remote modify --local {name} endpointurl {address}`, or"
            " in the file of `--settings`",
        )


@contextmanager
def _repo(root: Path) -> Iterator[Repo]:
    try:
        with machine_errors(root), open_project(root) as repo:
            yield repo
    except DvcException as error:
        raise DataError(f"`{root}` cannot be read: {error}", hint="run this in a repository with DVC") from error
