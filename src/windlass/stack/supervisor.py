"""Starts the stack, follows it, and stops it, whatever happens."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from windlass.connections import Address
from windlass.connectors.postgres.connector import CONNECTOR as POSTGRES
from windlass.devservices import DevServices
from windlass.errors import FatalError, SpecError, WindlassError
from windlass.plan.model import Connection
from windlass.processes import how_it_ended
from windlass.processes.launcher import adopt_descendants, end_descendants
from windlass.stack.addresses import Addresses, for_airflow
from windlass.stack.airflow import Airflow
from windlass.stack.broker import Broker
from windlass.stack.component import Component, Started, end_of
from windlass.stack.keys import Keys
from windlass.stack.layout import Layout, Stack, State, WorkerState
from windlass.stack.locks import supervising
from windlass.stack.pgadmin import PgAdmin
from windlass.stack.watching import Published, Watch, publish
from windlass.stack.workers import Workers
from windlass.stopping import StoppedError

__all__ = ["Observer", "StackOptions", "Supervisor"]

_START_DEADLINE, _POLL, _LOOK_EVERY = 180.0, 0.25, 5.0


@dataclass(frozen=True)
class StackOptions:
    """What to run, and where."""

    layout: Layout
    port: int
    pgadmin: bool
    pgadmin_port: int
    workers: int = 0
    """How many Celery workers; with none of them tasks are processes of the scheduler."""


class Observer(Protocol):
    """Who is told how it goes."""

    def changed(self, stack: Stack) -> None:
        """A part has come, or its state has changed."""

    def say(self, text: str, *, warning: bool = False) -> None:
        """Something that somebody should read."""


class Supervisor:
    """Runs one stack, in this process, until it is stopped."""

    def __init__(self, options: StackOptions, keys: Keys, observer: Observer) -> None:
        self._layout, self._options, self._observer = options.layout, options, observer
        self._broker = Broker(self._layout.broker, self._layout.logs / "broker.log")
        self._workers = Workers(options.workers, self._broker.url)
        self._airflow = Airflow(self._layout, keys, options.port, self._workers)
        self._pgadmin = PgAdmin(self._layout, keys, options.pgadmin_port) if options.pgadmin else None
        self._addresses = Addresses(self._layout.project)
        self._own_services = DevServices(self._layout.home, self._layout.project)
        self._watch = Watch(self._layout.project)
        self._started: dict[str, Started] = {}
        self._published: Published
        self._found: dict[str, Address | None] = {}
        self._stack = Stack(
            pid=os.getpid(),
            page=self._airflow.page,
            pgadmin=self._pgadmin.page if self._pgadmin else None,
            home=str(self._layout.home),
            workers=list(self._workers.states.values()),
        )

    def run(self, ready: Callable[[Stack], None]) -> None:
        """Start everything, call `ready` once it is healthy, and follow it. Raises WindlassError when it ends."""
        with supervising(self._layout):
            adopt_descendants()
            try:
                self._start()
                self._become(State.HEALTHY)
                ready(self._stack)
                self._follow()
            except (WindlassError, StoppedError) as exc:
                stopped = isinstance(exc, StoppedError)
                self._stack.failure = None if stopped else str(exc)
                self._become(State.STOPPING if stopped else State.FAILED)
                self._observer.say("stopping")
                raise
            finally:
                self._stop()

    # --- starting ---

    def _start(self) -> None:
        published = publish(self._layout.project, self._layout.airflow)
        self._watch.follow(published.files)
        # not SQLite: two writers at once end Airflow's scheduler there, and a backfill is such a writer
        database = self._own_services.start("airflow", Connection(type=POSTGRES.type))
        self._airflow.configure(database)
        migration = self._airflow.migration(database)
        if migration:
            self._launch(migration)
        if self._workers.states:
            self._launch(self._broker.component(os.environ))
        self._find_connections(published)
        if self._pgadmin:
            self._launch(self._pgadmin.component())
        if migration:
            self._wait_for_end(migration.name)
            self._airflow.note_migration(database)
        # the scheduler comes last: it may start tasks at once, and those need their connections
        self._launch(self._airflow.server())
        self._launch(self._airflow.dag_processor())
        self._wait_for_health("api-server")
        self._tell_airflow(published)
        self._launch(self._airflow.scheduler())
        self._launch(self._airflow.triggerer())
        for worker in self._workers.states.values():
            self._launch_worker(worker)
        self._wait_for_health(*self._started)
        self._wait_for_dags(published)

    def _launch(self, component: Component) -> None:
        started = component.start(self._layout.lock)
        self._started[component.name] = started
        part = self._stack.part(component.name)
        part.log, part.address = str(component.log), component.address
        self._set(component.name, State.STARTING)

    def _launch_worker(self, worker: WorkerState) -> None:
        self._launch(self._airflow.worker(worker.name))

    def _wait_for_end(self, name: str) -> None:
        """Wait for what has something to do once. Raises FatalError when it fails."""
        started = self._started[name]
        self._until(lambda: started.exit_code is not None, name)
        if started.exit_code != 0:
            raise _ended(started)
        del self._started[name]
        self._set(name, State.DONE, seconds=started.seconds)

    def _wait_for_health(self, *names: str) -> None:
        for name in names:
            self._until(lambda name=name: self._is_healthy(name), name)  # type: ignore[misc]

    def _is_healthy(self, waited_for: str) -> bool:
        """Look at all that is still starting, so that each is seen healthy when it is."""
        for name, started in self._started.items():
            if self._stack.part(name).state == State.STARTING and started.is_healthy():
                self._set(name, State.HEALTHY, seconds=started.seconds)
        return self._stack.part(waited_for).state == State.HEALTHY

    def _wait_for_dags(self, published: Published) -> None:
        """Wait until every pipeline is a DAG. Raises FatalError with what Airflow says when it refuses."""
        began = time.monotonic()
        self._set("pipelines", State.STARTING)
        api = self._airflow.api

        def parsed() -> bool:
            for error in api.import_errors():
                raise FatalError(f"Airflow cannot load the pipelines:\n{error}")
            return published.pipelines <= api.dags()

        self._until(parsed, "pipelines")
        self._set("pipelines", State.HEALTHY, seconds=time.monotonic() - began)

    def _until(self, condition: Callable[[], bool], name: str) -> None:
        deadline = time.monotonic() + _START_DEADLINE
        while not condition():
            self._raise_if_ended()
            if time.monotonic() > deadline:
                started = self._started.get(name)
                log = f"; the end of its log:{end_of(started.component.log)}" if started else ""
                raise FatalError(f"{name} is not healthy after {_START_DEADLINE:.0f} s{log}")
            time.sleep(_POLL)

    # --- following ---

    def _follow(self) -> None:
        looked = time.monotonic()
        while True:
            time.sleep(_POLL)
            self._start_workers_again()
            self._raise_if_ended()
            if self._watch.has_changed():
                self._publish_again()
            if time.monotonic() - looked > _LOOK_EVERY:
                self._start_services_again()
                self._look()
                looked = time.monotonic()

    def _publish_again(self) -> None:
        """Take changed files over; broken ones change nothing but what people see."""
        with self._keeping_what_is_good():
            published = publish(self._layout.project, self._layout.airflow)
            self._watch.follow(published.files)
            self._find_connections(published)
            self._tell_airflow(published)
            self._stack.problems = None
            count = len(published.pipelines)
            self._observer.say(f"the plan is up to date: {count} pipeline{'' if count == 1 else 's'}")

    @contextmanager
    def _keeping_what_is_good(self) -> Iterator[None]:
        """Say what is wrong, and go on."""
        try:
            yield
        except WindlassError as exc:
            self._stack.problems = str(exc)
            broken = isinstance(exc, SpecError)
            kept = "the last good plan stays in use" if broken else "the connections are as they were before"
            self._observer.say(f"{exc}\n{kept}", warning=True)
        self._save()

    def _start_services_again(self) -> None:
        """A dev service that has ended stops nobody else: its data are there, and its next server finds them."""
        ended = self._addresses.ended()
        for service in ended:
            self._set(f"connection {service.name}", State.ENDED)
            said = f"; the end of its log:{log}" if (log := end_of(service.log)) else ""
            self._observer.say(f"the dev service of {service.name!r} has ended{said}", warning=True)
        if ended:
            with self._keeping_what_is_good():
                self._find_connections(self._published)
                self._tell_airflow(self._published)

    def _start_workers_again(self) -> None:
        """A worker that has worked stops nobody else: Airflow starts its tasks again on another."""
        for worker in self._workers.states.values():
            started, part = self._started[worker.name], self._stack.part(worker.name)
            if started.exit_code is None or part.state == State.STARTING:
                continue
            worker.running, worker.restarts = [], worker.restarts + 1
            said = f"{how_it_ended(started.exit_code)}; it is started again, and so are its tasks"
            log = f"; the end of its log:{end_of(started.component.log)}"
            self._observer.say(f"{worker.name} has ended: {said}{log}", warning=True)
            self._launch_worker(worker)

    def _look(self) -> None:
        for name, started in self._started.items():
            state = State.HEALTHY if started.stays_healthy() else State.UNHEALTHY
            if state != self._stack.part(name).state:
                self._set(name, state)
        states = {self._stack.part(name).state for name in self._started}
        overall = State.HEALTHY if states == {State.HEALTHY} else State.UNHEALTHY
        if overall != self._stack.state or self._workers.states:
            self._become(overall)

    def _raise_if_ended(self) -> None:
        for service in self._own_services.ended():
            raise _with_log("the database of Airflow has ended", service.log)
        for started in self._started.values():
            if started.exit_code is not None and started.component.name != "database":
                self._set(started.component.name, State.ENDED)
                raise _ended(started)

    # --- connections ---

    def _find_connections(self, published: Published) -> None:
        """Find every connection, starting dev services, and tell pgAdmin of the servers among them."""
        self._published = published
        files = published.files
        for name in files.spec.connections:
            if self._stack.part(f"connection {name}").state != State.HEALTHY:
                self._set(f"connection {name}", State.STARTING)
        self._found = self._addresses.find(files)
        for name, address in self._found.items():
            self._stack.part(f"connection {name}").address = str(address) if address else "not configured"
            self._set(f"connection {name}", State.HEALTHY if address else State.MISSING)
        if self._pgadmin:
            servers = {n: a for n, a in self._found.items() if a and a.type == POSTGRES.type}
            self._pgadmin.register(servers)

    def _tell_airflow(self, published: Published) -> None:
        declared = published.files.spec.connections
        found = {name: address for name, address in self._found.items() if address}
        connections = [for_airflow(n, address, declared[n].description) for n, address in found.items()]
        self._airflow.api.put_connections(connections)
        self._airflow.api.put_pools(published.needs.pools)

    # --- stopping ---

    def _stop(self) -> None:
        """Scheduler and workers first, so that their tasks can still say how they end; then the others at once."""
        first = ["scheduler", *self._workers.states]
        stopping = [self._started.pop(name) for name in first if name in self._started]
        for started in stopping:
            started.stop()
        for started in stopping:
            started.wait()
        for started in self._started.values():
            started.stop()
        for started in self._started.values():
            started.wait()
        end_descendants()  # what a launcher that was itself killed could not end
        self._addresses.close()
        self._own_services.close()
        if self._stack.failure is None:
            self._layout.state.unlink(missing_ok=True)

    # --- what others see ---

    def _set(self, name: str, state: State, *, seconds: float | None = None) -> None:
        part = self._stack.part(name)
        part.state = state
        part.seconds = None if seconds is None else round(seconds, 1)
        for running, started in self._started.items():
            self._stack.part(running).pid = started.pid
        self._save()

    def _become(self, state: State) -> None:
        self._stack.state = state
        self._save()

    def _save(self) -> None:
        self._stack.write(self._layout.state)
        self._observer.changed(self._stack)


def _ended(started: Started) -> FatalError:
    component = started.component
    message = f"{component.name} has ended: {how_it_ended(started.exit_code or 0)}"
    return _with_log(message, component.log)


def _with_log(message: str, log: Path) -> FatalError:
    return FatalError(f"{message}; the end of its log:{end_of(log)}", hint=f"all of it: {log}")
