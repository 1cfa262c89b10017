//! Standing still at a named step, so that a rehearsal can kill the process there.

/// The variable that names the step.
pub const VARIABLE: &str = "TIDEGATE_DRILL_STOP";

/// Stops the process when `wanted` names this step.
pub fn stop_at(step: &str, wanted: Option<&str>) {
    if wanted == Some(step) {
        tracing::warn!(step, "stopped for a drill");
        let _cannot_fail = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
    }
}
