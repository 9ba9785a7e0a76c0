from __future__ import annotations

pytest_plugins = ["polyvec.testing.plugin"]
