"""Starts the AWS emulator: ministack in this process, on a loopback address only, with the patches that ACME needs.

Run as `python local/emulator/launcher.py` with the settings in the environment (see settings.py). Ends with status 1
and one plain line when it cannot start; SIGTERM and SIGINT save the state and stop it.
"""

import asyncio
import errno
import logging
import os
import shutil
import signal
import socket
import sys

from patches.compatibility import IncompatibleEmulatorError, require, require_version
from settings import Settings, SettingsError, clean_environment, read_settings

logger = logging.getLogger("emulator")

_GRACE_SECONDS = 3.0


# The services' exit status when another process has their port (packages/sagemaker-local/src/loopback.ts):
# whoever started them knows by it.
_PORT_TAKEN_STATUS = 98


class PortError(Exception):
    """The emulator's port can't be opened."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def bind(settings: Settings) -> socket.socket:
    """Opens the listening socket, so that a taken port is known before anything else is done.

    Raises:
        PortError: the port is in use or not allowed.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        taken = error.errno == errno.EADDRINUSE
        reason = "is already in use" if taken else f"cannot be opened ({error.strerror})"
        raise PortError(
            f"Port {settings.port} on {settings.host} {reason}: stop what listens there, or set another GATEWAY_PORT.",
            _PORT_TAKEN_STATUS if taken else 1,
        ) from None
    listener.setblocking(False)
    return listener


async def serve(settings: Settings, listener: socket.socket) -> None:
    """Serves until SIGTERM or SIGINT, then saves the state."""
    from hypercorn.asyncio import serve as serve_asgi
    from hypercorn.config import Config
    from ministack import app as emulator

    from patches import (
        alarms,
        api_gateway,
        athena,
        authorization,
        callers,
        cloudfront,
        deliveries,
        descriptions,
        health,
        judged_resources,
        lambda_functions,
        mail,
        persistence,
        proxy,
        sagemaker_authorization,
        sagemaker_forward,
        service_roles,
        step_functions,
        streams,
    )

    sagemaker = sagemaker_forward.ForwardedService(settings.sagemaker_url, "SageMaker service")
    services = {"sagemaker": sagemaker}
    if settings.pipeline_url is not None:
        services["codepipeline"] = sagemaker_forward.ForwardedService(settings.pipeline_url, "pipeline")
    access = authorization.AccessRecord(settings.access_file)
    authorization.install(access, authorization.Sessions(settings.sessions_file))
    judged_resources.install()
    service_roles.install()
    sagemaker_forward.install(sagemaker)
    client = step_functions.SageMakerClient(settings.sagemaker_url, settings.account, settings.region)
    step_functions.install(client)
    judge = sagemaker_authorization.Judge(client.tags_of)
    lambda_functions.install()
    athena.install(settings.object_directory)
    api_gateway.install(settings.region)
    cloudfront.install()
    descriptions.install()
    alarms.install()
    mail.install(settings.mail_directory)
    streams.install()
    deliveries.install()
    saver = persistence.StateSaver(settings.state_directory)
    application = health.name_process(require(emulator, "app", ("scope", "receive", "send")))
    application = cloudfront.serve_viewers(application)
    application = persistence.save_state(application, saver)
    application = sagemaker_forward.forward_signed(application, services, judge)
    application = callers.answer_own_callers(application)
    application = proxy.serve_proxied(application)

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = _GRACE_SECONDS
    config.loglevel = "WARNING"
    saving = [asyncio.create_task(saver.run()), asyncio.create_task(access.run())]
    try:
        await serve_asgi(application, config, shutdown_trigger=stop.wait)
    finally:
        for task in saving:
            task.cancel()
        access.save()
        await saver.save()


def main() -> int:
    """Checks everything that can be checked before the start, then serves."""
    try:
        settings = read_settings(os.environ)
        environment = clean_environment(settings, os.environ)
        os.environ.clear()
        os.environ.update(environment)
        require_version()
        from patches.persistence import DamagedStateError, StateInUseError, check_state_files, lock_state, mend_objects
    except (SettingsError, IncompatibleEmulatorError) as error:
        return fail(error)
    try:
        listener = bind(settings)
        lock_state(settings.state_directory)
        check_state_files(settings.state_directory)
        shutil.rmtree(settings.temporary_directory, ignore_errors=True)
        settings.temporary_directory.mkdir(mode=0o700)
        mended = mend_objects(settings.object_directory)
        if mended:
            print(f"Mended {mended} S3 objects whose writing a kill had interrupted.", file=sys.stderr)
        asyncio.new_event_loop().run_until_complete(serve(settings, listener))
    except PortError as error:
        return fail(error, error.status)
    except (StateInUseError, DamagedStateError, IncompatibleEmulatorError) as error:
        return fail(error)
    # Everything is saved. A function or a query that still runs on a thread must not keep the process.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def fail(error: Exception, status: int = 1) -> int:
    """Says in one line why the emulator does not start, and answers what the process exits with."""
    print(f"The AWS emulator cannot start. {error}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
