"""The cases of the table; the bounds in them are those that the project has set itself."""

from . import answers, faults, models, ordering, proxying, stack, tasks, telemetry


class Case:
    """One group of subjects measured in turns."""

    def __init__(self, name, title, measure):
        self.name = name
        self.title = title
        self.measure = measure


ALL = [
    Case("answers", "A small JSON answer", answers.measure),
    Case("proxying", "A proxied GET", proxying.measure),
    Case("ordering", "An order, committed", ordering.measure),
    Case("models", "Rows of a model", models.measure),
    Case("tasks", "Tasks on Redis", tasks.measure),
    Case("stack", "The whole platform", stack.measure),
    Case("telemetry", "The telemetry core", telemetry.measure),
    Case("faults", "Telemetry in trouble", faults.measure),
]
