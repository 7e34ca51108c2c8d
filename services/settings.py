"""Where things are: paths, addresses, ports, limits and secrets, from the environment (`WAFERWATCH_*`).

Nothing here can change a verdict: whatever can is the recipe, which travels in the bundle.
"""

import difflib
import os
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, HttpUrl, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.domain.errors import ConfigurationError
from services.access.roles import OF_PEOPLE, Role
from services.priority import Priority

PREFIX = "WAFERWATCH_"


class Afterwards(StrEnum):
    """What happens to a file in the watch folder once its row is committed."""

    KEEP = "keep"
    MOVE = "move"
    DELETE = "delete"


class LoginPolicy(StrEnum):
    """Where a login is needed."""

    AUTO = "auto"
    ALWAYS = "always"


class Settings(BaseSettings):
    """Everything an installation decides; each field is one environment variable, `home` is `WAFERWATCH_HOME`.

    Attributes:
        home: folder of everything this machine keeps; the other folders lie in it unless they are set.
        database_url: SQLAlchemy URL; SQLite in `home` by default, `postgresql+psycopg://…` for more than one machine.
        database_timeout_s: longest a database call may take before the connection is cut, seconds.
        spool_dir: where accepted files are kept under their content hash; local disk, or shared by all machines.
        watch_dir: folder the watcher looks at.
        watch_every_s: pause between two looks, seconds; a file is taken once two looks saw the same size and time.
        watch_deadline_s: how long a file may stay incomplete before it is quarantined, seconds.
        watch_include: file names taken, shell patterns; comma-separated JSON list in the environment.
        watch_exclude: file names left alone; the defaults are what tools call files they are still writing.
        watch_owners: users whose files are taken, by name or number, a JSON list in the environment; none = anybody's.
        reading: YAML file of what files do not say of themselves (mirrored coordinates of a tool, columns of tables);
            see `pipelines.ingestion.options`.
        watch_priorities: how urgent files are, by shell patterns of their paths below `watch_dir`; a JSON object in the
            environment, such as {"held/*": "held", "archive/*": "backfill"}.
        keep_verdicts_days: verdicts of windows older than this are dropped by whole months, days; None keeps all.
            Inspections with their own verdict, alerts and labels stay.
        backup_dir: where copies of the embedded database are kept; best on another disk.
        backup_keep: how many daily copies are kept; 0 makes none.
        quota_files: how many files of one sender may be unfinished at a time; further uploads are answered 429, further
            files wait in the watch folder, of which each folder is a sender.
        afterwards: what happens to the source file once its row is committed.
        done_dir: where `afterwards=move` puts it.
        file_limit_bytes: largest file accepted.
        upload_limit_bytes: largest request of an upload; larger files come through the watch folder.
        bundle: folder of a bundle, or the registry alias to follow.
        model_name: registered model that `bundle` is an alias of.
        mlflow_uri: tracking and registry address.
        host: address the API and dashboard listen on.
        port: its port.
        metrics_port: port of the inspection processes' metrics.
        login: `auto` asks for a login where other machines can reach `host`; `always` also on this machine alone, as
            behind a reverse proxy on it.
        public_url: how browsers call the service, as https://waferwatch.fab.example; needed for OIDC. An http:// here
            accepts that logins travel unencrypted.
        proxies: addresses of reverse proxies whose X-Forwarded-For and -Proto are believed.
        requests_per_minute: how often a login or token may ask, where a login is needed; an address: five times that.
        queue_limit: how many files may wait before uploads are turned away; the watch folder is a queue of its own.
        oidc_issuer: identity provider that people log in at, exactly as its tokens call it; passwords alone if None.
        oidc_client_id: our name there.
        oidc_client_secret: our password there; a public client has none.
        oidc_scopes: what is asked for there.
        oidc_name_claim: which claim is a user's name.
        oidc_role_claim: which claim lists their groups; 'realm_access.roles' reaches into objects.
        oidc_roles: which group gives which role, as JSON: {"fab-operators": "operator"}; the strongest counts.
        lease_s: how long a worker may be silent before its job is given to another, seconds.
        rules: file that says what is an alert; without one, the rules that come with waferwatch.
        classifier_replicas: processes that hold the model.
        classifier_replicas_most: up to so many while calls wait; None = always the same number.
        classifier_cpus: CPU cores Ray reserves for each; less than one on small machines.
        classifier_gpus: GPUs Ray reserves for each, fractions allowed; 0 runs on the CPU.
        classifier_threads: torch threads of each on a CPU.
        classify_timeout_s: how long a call of the classifier may take before the job is tried again, seconds.
        inspector_replicas: processes that lease jobs, cut and decide.
        inspector_replicas_most: up to so many while jobs wait; None = always the same number.
        inspector_threads: jobs that one inspector works on at a time.
        inspector_cpus: CPU cores Ray reserves for each.
        max_attempts: tries of a job before it is dead and raises an alert.
        channels: file that says where alerts are sent; without one, nowhere.
        log_level: lowest level that is written to standard error.
        log_json: one JSON object a line, for collectors, instead of lines for people.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True
    )

    home: Path = Path(".waferwatch")
    database_url: str = Field(
        default_factory=lambda known: f"sqlite:///{known['home'] / 'waferwatch.db'}", repr=False, min_length=1
    )
    database_timeout_s: float = Field(default=3.0, gt=0)
    spool_dir: Path = Field(default_factory=lambda known: known["home"] / "spool")
    watch_dir: Path = Field(default_factory=lambda known: known["home"] / "watch")
    watch_every_s: float = Field(default=1.0, gt=0)
    watch_deadline_s: float = Field(default=300.0, ge=0)
    watch_include: tuple[str, ...] = ("*",)
    watch_exclude: tuple[str, ...] = (".*", "*.tmp", "*.part", "*.partial", "*.filepart", "*.crdownload", "~*", "*~")
    watch_owners: tuple[str, ...] = ()
    watch_priorities: dict[str, Priority] = Field(default_factory=dict)
    keep_verdicts_days: int | None = Field(default=None, ge=1)
    backup_dir: Path = Field(default_factory=lambda known: known["home"] / "backups")
    backup_keep: int = Field(default=3, ge=0)
    quota_files: int = Field(default=10_000, ge=1)
    reading: Path | None = None
    afterwards: Afterwards = Afterwards.KEEP
    done_dir: Path = Field(default_factory=lambda known: known["home"] / "done")
    file_limit_bytes: int = Field(default=64 * 1024**3, gt=0)
    upload_limit_bytes: int = Field(default=4 * 1024**3, gt=0)
    bundle: str = Field(default="champion", min_length=1)
    model_name: str = Field(default="wafer", min_length=1)
    mlflow_uri: str = Field(default_factory=lambda known: f"sqlite:///{known['home'] / 'mlflow.db'}", repr=False)
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    metrics_port: int = Field(default=9108, ge=0, le=65535)
    login: LoginPolicy = LoginPolicy.AUTO
    public_url: HttpUrl | None = None
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    requests_per_minute: int = Field(default=1200, ge=1)
    queue_limit: int = Field(default=10_000, ge=1)
    oidc_issuer: str | None = None
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr | None = None
    oidc_scopes: str = "openid profile email"
    oidc_name_claim: str = "preferred_username"
    oidc_role_claim: str = "groups"
    oidc_roles: dict[str, Role] = Field(default_factory=dict)
    lease_s: float = Field(default=30.0, gt=0)
    rules: Path | None = None
    classifier_replicas: int = Field(default=1, ge=1)
    classifier_replicas_most: int | None = Field(default=None, ge=1)
    classifier_cpus: float = Field(default=0.5, ge=0)
    classifier_gpus: float = Field(default=0.0, ge=0)
    classifier_threads: int = Field(default=1, ge=1)
    classify_timeout_s: float = Field(default=120.0, gt=0)
    inspector_replicas: int = Field(default=1, ge=1)
    inspector_replicas_most: int | None = Field(default=None, ge=1)
    inspector_threads: int = Field(default=4, ge=1)
    inspector_cpus: float = Field(default=0.5, ge=0)
    max_attempts: int = Field(default=5, ge=1)
    channels: Path | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_json: bool = False

    @field_validator("home", "spool_dir", "watch_dir", "done_dir", "backup_dir", "reading", "rules", "channels")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        """A service outlives the folder it was started in."""
        return None if path is None else path.expanduser().absolute()

    @model_validator(mode="after")
    def _consistent(self) -> "Settings":
        self._check_oidc()
        if self.done_dir.is_relative_to(self.watch_dir) or self.spool_dir.is_relative_to(self.watch_dir):
            raise ValueError("spool_dir and done_dir must not lie in watch_dir: files would be taken in again")
        return self

    def _check_oidc(self) -> None:
        if self.oidc_issuer is None:
            return
        issuer = urlsplit(self.oidc_issuer)
        if issuer.scheme != "https" and not (issuer.scheme == "http" and is_loopback(issuer.hostname or "")):
            raise ValueError("oidc_issuer must begin with https://: whoever can change its keys on the way is an admin")
        if not self.oidc_client_id or self.public_url is None or not self.oidc_roles:
            raise ValueError("oidc_issuer needs oidc_client_id, public_url and oidc_roles")
        if strange := set(self.oidc_roles.values()) - set(OF_PEOPLE):
            raise ValueError(f"oidc_roles: {', '.join(sorted(strange))} is not for people: {' | '.join(OF_PEOPLE)}")

    @classmethod
    def load(cls, **overrides: Any) -> "Settings":
        """Settings from the environment; keyword arguments win.

        Raises:
            ConfigurationError: a value is wrong, or a variable is a misspelling of a setting.
        """
        _refuse_misspelt(os.environ, set(cls.model_fields))
        try:
            return cls(**overrides)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]).upper()
            raise ConfigurationError(
                "bad setting", where=f"{PREFIX}{where}" if where else "settings", got=first["msg"]
            ) from error

    @property
    def bundle_dir(self) -> Path:
        """Where installed bundles are, by digest."""
        return self.home / "bundles"

    @property
    def metrics_dir(self) -> Path:
        """Where the processes of this machine share their metrics (PROMETHEUS_MULTIPROC_DIR)."""
        return self.home / "metrics"

    @property
    def serving_mark(self) -> Path:
        """A file that is there while this machine's inspectors are up, for whoever wants to wait for them."""
        return self.home / "serving"

    @property
    def needs_login(self) -> bool:
        """Whether callers must say who they are: always, unless only this machine can reach the service."""
        return self.login is LoginPolicy.ALWAYS or not is_loopback(self.host)

    @property
    def secure_cookies(self) -> bool:
        """Whether logins travel over TLS alone: beyond this machine, unless `public_url` says http on purpose."""
        if self.public_url is not None:
            return self.public_url.scheme == "https"
        return not is_loopback(self.host)

    @property
    def route(self) -> str:
        """The route jobs take: the alias, or 'folder' where `bundle` names a bundle's folder."""
        return "folder" if Path(self.bundle).is_dir() else self.bundle

    def make_folders(self) -> None:
        """Create the folders this machine writes to (owner only: wafer data is confidential)."""
        for folder in (self.home, self.spool_dir, self.watch_dir):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refuse_misspelt(environment: Mapping[str, str], known: set[str]) -> None:
    for name in environment:
        setting = name.removeprefix(PREFIX).lower()
        if name.startswith(PREFIX) and setting not in known:
            meant = difflib.get_close_matches(setting, known, n=1, cutoff=0.85)
            if meant:
                raise ConfigurationError("unknown setting", where=name, expected=f"{PREFIX}{meant[0].upper()}")
