"""The nine pipelines of a Livepeer AI gateway: their paths, encodings, default models and what they give back."""

from dataclasses import dataclass
from typing import Literal

Encoding = Literal["json", "multipart"]
Gives = Literal["pictures", "video", "audio", "transcript", "text", "masks", "chat"]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One kind of job. `model_field` is what go-livepeer calls the model id in this pipeline's request."""

    name: str
    encoding: Encoding
    gives: Gives
    default_model: str
    model_field: str = "model_id"

    @property
    def path(self) -> str:
        """The path on a Livepeer gateway, and on ours."""
        return f"/{self.name}"


PIPELINES = {
    pipeline.name: pipeline
    for pipeline in (
        Pipeline("text-to-image", "json", "pictures", "stabilityai/sdxl-turbo"),
        Pipeline("image-to-image", "multipart", "pictures", "stabilityai/sdxl-turbo"),
        Pipeline("image-to-video", "multipart", "video", "stabilityai/stable-video-diffusion-img2vid-xt"),
        Pipeline("upscale", "multipart", "pictures", "stabilityai/stable-diffusion-x4-upscaler"),
        Pipeline("audio-to-text", "multipart", "transcript", "openai/whisper-large-v3"),
        Pipeline("llm", "json", "chat", "meta-llama/llama-3.1-8B-Instruct", model_field="model"),
        Pipeline("segment-anything-2", "multipart", "masks", "facebook/sam2-hiera-large"),
        Pipeline("image-to-text", "multipart", "text", "Salesforce/blip-image-captioning-large"),
        Pipeline("text-to-speech", "json", "audio", "parler-tts/parler-tts-large-v1"),
    )
}
