"""What all host data has in common."""

from pydantic import BaseModel, ConfigDict


class Data(BaseModel):
    """Refuses what it does not know, and repeats no value in a message."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, allow_inf_nan=False
    )
