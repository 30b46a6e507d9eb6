"""Keys, variables, options, commands and kinds of targets of mirrord that aren't built here yet.

They are refused by name, so that nobody takes them for mistyped ones or believes that they have an effect. What is
built is in keys.py; a test sees to it that nothing is in both.
"""

from __future__ import annotations

from typing import Any

_TREE = """
operator multi_cluster api profile sip_binaries skip_sip telemetry key traceparent baggage
ci: output_dir
agent: check_out_of_pods clean_iptables_on_start exclude_from_mesh external_ip_fix http_detection_timeout
  inject_headers jaq_time_limit json_log max_body_buffer_size max_body_buffer_timeout metrics nftables
  override_cache_control dns
agent.dns: attempts timeout
feature: magic copy_target split_queues db_branches preview
feature.env: load_from_process
feature.fs: read_write readonly_file_buffer
feature.magic: aws auto_mount turbo
feature.network.incoming: on_concurrent_steal http_filter tls_delivery https_delivery
feature.network.incoming.http_filter: header_filter path_filter method_filter body_filter header_filter_jq all_of
  any_of ports
feature.copy_target: enabled scale_down exclude_containers exclude_init_containers
feature.preview: image ttl_mins ttl_secs creation_timeout_secs replicas labels idle config_mounts secret_mounts
container: cli_image cli_extra_args cli_prevent_cleanup cli_image_lib_path cli_tls_path override_host_ip
  host_gateway_detection platform
internal_proxy: start_idle_timeout idle_timeout socket_timeout ping_interval log_level json_log log_destination
  process_logging_interval
external_proxy: tls_enable start_idle_timeout idle_timeout host_ip log_level log_destination json_log
experimental: tcp_ping4_mock trust_any_certificate enable_exec_hooks_linux hide_ipv6_interfaces disable_reuseaddr
  use_dev_null idle_local_http_connection_timeout ignore_system_proxy_config browser_extension_config
  sip_log_destination non_blocking_tcp_connect dlopen_cgo latency applev sip_utils go_asmcgocall guard_std_fds
experimental.latency: transmit_delay receive_delay
"""
BUILT = {"agent", "feature", "feature.env", "feature.fs", "feature.network.incoming"}
"""Sections of the tree above that exist; some of their keys don't."""


def _keys() -> frozenset[str]:
    found, section = set[str](), ""
    for line in _TREE.strip().splitlines():
        head, colon, rest = line.rpartition(":")
        if not line.startswith(" "):
            section = head if colon else ""
            found |= {section} - {""} - BUILT
        found |= {f"{section}.{name}" if section else name for name in rest.split()}
    return frozenset(found)


KEYS = _keys()
"""Dotted, from the top of the file."""

ALREADY_SO: dict[str, tuple[Any, ...]] = {
    "operator": (False,),
    "multi_cluster": (False,),
    "api": (False,),
    "telemetry": (False,),
    "agent.check_out_of_pods": (False, True),
    "agent.exclude_from_mesh": (False,),
    "agent.inject_headers": (False,),
    "agent.json_log": (True,),
    "agent.nftables": (True,),
    "feature.copy_target": (False,),
    "feature.network.incoming.http_filter": (False,),
    "feature.network.incoming.on_concurrent_steal": ("abort",),
    "feature.magic.auto_mount": (False,),
    "feature.magic.turbo": (False, True),
    "feature.env.load_from_process": (False,),
    "feature.fs.read_write": ([], ""),
}
"""Values that ask for what mirrord does without the key. They are taken: a file that switches the rest off is right."""

TARGETS = ("container",)
"""What a target's name begins with: a container of this machine."""

MODES = ("write",)
"""Values of `feature.fs.mode`."""

COMMANDS = (
    "container", "dump", "port-forward", "completions", "diagnose", "session", "sessions", "kill", "ui", "wizard",
    "chaos", "up", "ci", "preview", "subscribe", "queues", "qs", "db-branches", "operator", "fix", "newsletter", "teams",
    "vpn", "ext", "container-ext", "extract", "attach",
)  # fmt: skip

OPTIONS = ("--key", "-k", "--no-telemetry", "--disable-version-check")
"""Of `mirrord exec`."""

VARIABLES = (
    "MIRRORD_AGENT_CLEAN_IPTABLES_ON_START", "MIRRORD_AGENT_EXCLUDE_FROM_MESH", "MIRRORD_AGENT_EXTERNAL_IP_FIX",
    "MIRRORD_AGENT_HTTP_DETECTION_TIMEOUT", "MIRRORD_CI_API_KEY", "MIRRORD_ENV_LOAD_FROM_PROCESS", "MIRRORD_FILE_OPS",
    "MIRRORD_FILE_READ_WRITE_PATTERN", "MIRRORD_FILE_RO_OPS", "MIRRORD_KEY", "MIRRORD_MULTI_CLUSTER",
    "MIRRORD_OPERATOR_ENABLE", "MIRRORD_OPERATOR_ON_CONCURRENT_STEAL",
)  # fmt: skip
"""They have no effect, and whoever set them is told so."""

HTTP_FILTERS = (
    "MIRRORD_HTTP_FILTER_PORTS", "MIRRORD_HTTP_HEADER_FILTER", "MIRRORD_HTTP_HEADER_FILTER_JQ",
    "MIRRORD_HTTP_METHOD_FILTER", "MIRRORD_HTTP_PATH_FILTER",
)  # fmt: skip
"""Variables too. They are refused while incoming is on: without the filter more is taken than was wanted."""
